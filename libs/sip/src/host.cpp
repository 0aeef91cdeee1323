// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

#include <stile/sip/host.hpp>
#include <stile/sip/limits.hpp>

namespace stile::sip {
namespace {

// hostname of RFC 3261 Section 25.1, but for two things that the field needs: underscores, and a
// last label that starts with a digit (container and machine names).
bool is_host_name(std::string_view text) {
    if (text.empty() || text.size() > most_host_octets) return false;
    std::size_t label = 0;
    for (const char c : text) {
        if (c == '.') {
            if (label == 0) return false;
            label = 0;
        } else if (is_alnum(c) || c == '-' || c == '_') {
            ++label;
        } else {
            return false;
        }
    }
    return true;
}

bool is_dotted_number(std::string_view text) {
    for (const char c : text) {
        if (!is_digit(c) && c != '.') return false;
    }
    return true;
}

}  // namespace

std::expected<Host, ParseError> Host::parse(std::string_view text) {
    Host host;
    if (text.size() > 2 && text.front() == '[' && text.back() == ']') {
        const std::string_view inner = text.substr(1, text.size() - 2);
        host.address_ = IpAddress::parse(inner);
        // RFC 5118 Section 4.10: the grammar of RFC 3261 allows a third colon in front of an IPv4
        // part; it is tolerated, and not written again.
        if (const std::size_t at = inner.find(":::");
            !host.address_ && inner.contains('.') && at != std::string_view::npos) {
            std::string repaired{inner};
            repaired.erase(at, 1);
            host.address_ = IpAddress::parse(repaired);
            host.text_ = "[" + repaired + "]";
        }
        if (!host.address_ || !host.address_->is_v6()) return std::unexpected(ParseError::BadHost);
        if (host.text_.empty()) host.text_ = text;
        return host;
    } else if (is_dotted_number(text)) {
        host.address_ = IpAddress::parse(text);
        if (!host.address_ || !host.address_->is_v4()) return std::unexpected(ParseError::BadHost);
    } else if (!is_host_name(text)) {
        return std::unexpected(ParseError::BadHost);
    }
    host.text_ = text;
    return host;
}

Host::Host(const IpAddress& address) : text_(address.to_string()), address_(address) {
    if (address.is_v6()) text_ = "[" + text_ + "]";
}

bool operator==(const Host& left, const Host& right) {
    if (left.address_ || right.address_) return left.address_ == right.address_;
    return iequals(left.text_, right.text_);
}

}  // namespace stile::sip
