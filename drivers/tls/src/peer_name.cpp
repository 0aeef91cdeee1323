// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "peer_name.hpp"

#include <stile/base/ip_address.hpp>
#include <stile/base/text.hpp>

namespace stile::drivers {
namespace {

std::string_view text_of(const ASN1_STRING* string) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
            static_cast<std::size_t>(ASN1_STRING_length(string))};
}

// The host of "sip:example.org"; empty for another scheme and for URIs that name a user, which are
// no domain's identity. RFC 5922 Section 7.1.
std::string_view sip_domain(std::string_view uri) {
    constexpr std::string_view scheme = "sip:";
    if (!iequals(uri.substr(0, scheme.size()), scheme)) return {};
    uri.remove_prefix(scheme.size());
    if (uri.contains('@')) return {};
    return take_until(uri, ';');
}

NameMatch match_sip(X509* certificate, const std::string& host) {
    const openssl::Names names{static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
    bool has_sip_uri = false;
    bool dns_matches = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
        int type = 0;
        const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
        if (type == GEN_URI) {
            const auto domain = sip_domain(text_of(static_cast<const ASN1_STRING*>(value)));
            if (domain.empty()) continue;
            has_sip_uri = true;
            if (iequals(domain, host)) return NameMatch::Matches;
        } else if (type == GEN_DNS) {
            dns_matches |= iequals(text_of(static_cast<const ASN1_STRING*>(value)), host);
        }
    }
    // DNS names count only where no SIP URI says it better, the subject only without any such
    // names.
    if (has_sip_uri) return NameMatch::Differs;
    if (names) return dns_matches ? NameMatch::Matches : NameMatch::Differs;
    const unsigned flags = X509_CHECK_FLAG_NO_WILDCARDS;
    return X509_check_host(certificate, host.c_str(), host.size(), flags, nullptr) == 1
               ? NameMatch::Matches
               : NameMatch::Differs;
}

}  // namespace

NameMatch match_peer_name(X509* certificate, const std::string& host, NameRules rules) {
    if (IpAddress::parse(host)) {
        return X509_check_ip_asc(certificate, host.c_str(), 0) == 1 ? NameMatch::Matches
                                                                    : NameMatch::Differs;
    }
    switch (rules) {
        case NameRules::Sip:
            return match_sip(certificate, host);
        case NameRules::Web: {
            const unsigned flags =
                X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
            return X509_check_host(certificate, host.c_str(), host.size(), flags, nullptr) == 1
                       ? NameMatch::Matches
                       : NameMatch::Differs;
        }
    }
    return NameMatch::Differs;
}

}  // namespace stile::drivers
