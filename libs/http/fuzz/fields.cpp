// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/http/date.hpp>
#include <stile/http/link.hpp>
#include <stile/http/plan.hpp>
#include <stile/http/structured_field.hpp>

using namespace stile::http;

// Each line is "name: value"; every reader of a value gets every value too.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view rest{reinterpret_cast<const char*>(data), size};
    Request request;
    while (!rest.empty()) {
        std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(line.size() < rest.size() ? line.size() + 1 : rest.size());
        const std::string_view name = line.substr(0, line.find(':'));
        const std::string_view value =
            name.size() < line.size() ? line.substr(name.size() + 1) : std::string_view{};
        (void)request.fields.receive(name, value);
        (void)parse_dictionary(value);
        for (const Link& link : parse_links(value)) (void)parse_links(link.to_string());
        if (const auto tag = EntityTag::parse(value)) {
            STILE_ASSERT(EntityTag::parse(tag->to_string()) == tag);
        }
        if (const auto date = parse_http_date(value, {})) {
            STILE_ASSERT(parse_http_date(format_http_date(*date), {}) == date);
        }
        (void)parse_mail_date(value);
        (void)parse_rfc3339(value);
    }
    (void)mirrors(request.fields);
    (void)wanted_digests(request.fields, DigestField::Representation);
    (void)read_digests(request.fields, DigestField::Content);
    ResourceInfo resource;
    resource.size = 10'000;
    resource.validators = {.tag = EntityTag{.opaque = "a"}, .modified = stile::WallTime{}};
    (void)decide({.now = {}, .boundary = "boundary"}, request, resource);
    return 0;
}
