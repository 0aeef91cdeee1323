// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/http/content_digest.hpp>
#include <stile/http/message.hpp>
#include <stile/http/range.hpp>
#include <stile/http/validators.hpp>

namespace stile::http {

// What is known of a resource that can be read: a file, a generated page, a feed.
struct ResourceInfo {
    std::uint64_t size = 0;  // of the representation, in octets
    std::string media_type = "application/octet-stream";
    Validators validators;
    std::optional<ContentDigest> digest;  // of the whole representation, if it is known
    Fields extra;  // sent with every response that describes the resource (Cache-Control, Link, ..)
};

// What to send. The content is, in this order: for each part its head and then its octets of the
// representation, then the tail. All heads and the tail are empty but for multipart/byteranges.
struct Plan {
    struct Part {
        std::string head;
        ByteRange range;
    };

    Response response;  // content-length included, wherever the response can have one
    std::vector<Part> parts;
    std::string tail;

    bool has_content() const { return !parts.empty(); }
    // Octets of the content.
    std::uint64_t content_size() const;
};

struct PlanContext {
    WallTime now;
    // For multipart/byteranges: 1 to 70 letters and digits that nobody can foresee, so that the
    // content cannot contain it.
    std::string_view boundary;
};

// Decides on GET, HEAD and OPTIONS of something that only can be read: 200, 204, 206, 304, 405,
// 412, 416 or 501. RFC 9110 Sections 9, 13.2.2 and 14. An error has no content; see
// directory_page.hpp.
Plan decide(const PlanContext& context, const Request& request, const ResourceInfo& resource);

}  // namespace stile::http
