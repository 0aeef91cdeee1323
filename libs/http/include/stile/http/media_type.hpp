// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace stile::http {

// The media type for a file of that name, by its suffix and without regard to case; text types come
// with charset=utf-8. "application/octet-stream" when the suffix is not known.
std::string_view media_type_of(std::string_view file_name);

// "text/html; charset=utf-8" without the parameters, in lower case.
std::string essence(std::string_view media_type);

// What kind of thing a person sees in it.
enum class MediaKind : unsigned char { Audio, Video, Image, Text, Archive, Feed, Other };
MediaKind kind_of(std::string_view media_type);

}  // namespace stile::http
