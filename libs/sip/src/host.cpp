// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

#include <stile/base/try.hpp>
#include <stile/sip/host.hpp>
#include <stile/sip/limits.hpp>

namespace stile::sip {
namespace {

// hostname of RFC 3261 Section 25.1, but for two things that the field needs: underscores, and a
// last label that starts with a digit (container and machine names). The characters are known to
// be a name's.
bool is_host_name(std::string_view text) {
    if (text.empty() || text.size() > most_host_octets) return false;
    char before = '.';
    for (const char c : text) {
        if (c == '.' && before == '.') return false;
        before = c;
    }
    return true;
}

bool is_dotted_number(std::string_view text) {
    for (const char c : text) {
        if (!is_digit(c) && c != '.') return false;
    }
    return true;
}

std::expected<HostView, ParseError> parse_reference(std::string_view text) {
    const std::string_view inner = text.substr(1, text.size() - 2);
    auto address = IpAddress::parse(inner);
    // RFC 5118 Section 4.10: the grammar of RFC 3261 allows a third colon in front of an IPv4
    // part; it is tolerated, and not written again.
    if (const std::size_t at = inner.find(":::");
        !address && inner.contains('.') && at != std::string_view::npos) {
        std::string repaired{inner};
        repaired.erase(at, 1);
        address = IpAddress::parse(repaired);
    }
    if (!address || !address->is_v6()) return std::unexpected(ParseError::BadHost);
    return HostView{.text = text, .address = address};
}

std::expected<HostView, ParseError> parse_name_or_v4(std::string_view text) {
    if (is_dotted_number(text)) {
        const auto address = IpAddress::parse(text);
        if (!address || !address->is_v4()) return std::unexpected(ParseError::BadHost);
        return HostView{.text = text, .address = address};
    }
    if (!is_host_name(text)) return std::unexpected(ParseError::BadHost);
    return HostView{.text = text, .address = std::nullopt};
}

}  // namespace

std::expected<HostView, ParseError> HostView::take(std::string_view& text) {
    std::size_t size = 0;
    const bool is_reference = !text.empty() && text.front() == '[';
    if (is_reference) {
        size = text.find(']') + 1;
        if (size <= 2) return std::unexpected(ParseError::BadHost);
    } else {
        size = scan::span(text, scan::Class::HostName);
    }
    const std::string_view host = text.substr(0, size);
    text.remove_prefix(size);
    return is_reference ? parse_reference(host) : parse_name_or_v4(host);
}

std::expected<HostView, ParseError> HostView::parse(std::string_view text) {
    const HostView host = STILE_TRY(take(text));
    if (!text.empty()) return std::unexpected(ParseError::BadHost);
    return host;
}

bool operator==(const HostView& left, const HostView& right) {
    if (left.address || right.address) return left.address == right.address;
    return iequals(left.text, right.text);
}

std::expected<Host, ParseError> Host::parse(std::string_view text) {
    return Host{STILE_TRY(HostView::parse(text))};
}

Host::Host(const HostView& view) : text_(view.text), address_(view.address) {
    if (const std::size_t at = text_.find(":::"); at != std::string::npos) text_.erase(at, 1);
}

Host::Host(const IpAddress& address) : text_(address.to_string()), address_(address) {
    if (address.is_v6()) text_ = "[" + text_ + "]";
}

}  // namespace stile::sip
