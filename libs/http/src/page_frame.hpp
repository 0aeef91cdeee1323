// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace stile::http {

// Everything up to <body> and the page's own style. `head` is markup: further elements of <head>.
std::string page_begin(std::string_view title, std::string_view head);
std::string page_end();

// The style sheet that page_begin() writes; the content security policy has its digest.
std::string_view page_style();

}  // namespace stile::http
