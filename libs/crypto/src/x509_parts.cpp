// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "x509_parts.hpp"

#include <stile/base/assert.hpp>
#include <stile/base/byte_writer.hpp>
#include <stile/crypto/limits.hpp>
#include "ecdsa.hpp"

#include <algorithm>

namespace stile::crypto {
namespace {

// Also keeps a NUL out, behind which a name would look like a shorter one to careless readers.
bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

bool usable(std::string_view name) {
    return !name.empty() && name.size() <= most_name_octets && is_printable(name);
}

bool usable_common_name(std::string_view name) {
    return name.size() <= most_common_name_octets &&
           std::ranges::all_of(name, [](char c) { return c >= 0x20 && c < 0x7F; });
}

void push(GENERAL_NAMES* names, int type, ASN1_STRING* value) {
    GENERAL_NAME* const name = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(name, type, value);
    STILE_ASSERT(sk_GENERAL_NAME_push(names, name) > 0);
}

ASN1_STRING* make_string(int type, BytesView octets) {
    ASN1_STRING* const value = ASN1_STRING_type_new(type);
    ASN1_STRING_set(value, octets.data(), static_cast<int>(octets.size()));
    return value;
}

BytesView view(const ASN1_STRING* value) {
    return {reinterpret_cast<const std::byte*>(ASN1_STRING_get0_data(value)),
            static_cast<std::size_t>(ASN1_STRING_length(value))};
}

std::string read_common_name(const X509_NAME* subject) {
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) return {};
    const std::string text =
        to_text(view(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
    return usable_common_name(text) ? text : std::string{};
}

void read_alternative(const GENERAL_NAME& name, CertificateNames& names) {
    int type = 0;
    const auto* const value =
        static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(&name, &type));
    if (type == GEN_URI || type == GEN_DNS) {
        const std::string_view text = as_text(view(value));
        if (usable(text)) (type == GEN_URI ? names.uris : names.dns).emplace_back(text);
    } else if (type == GEN_IPADD) {
        const BytesView octets = view(value);
        if (octets.size() == 4 || octets.size() == 16) {
            names.addresses.push_back(IpAddress::from_octets(octets));
        }
    }
}

void write_der_header(ByteWriter& writer, std::uint8_t tag, std::size_t length) {
    STILE_ASSERT(length <= 0xFFFF);
    writer.u8(tag);
    if (length < 0x80) {
        writer.u8(static_cast<std::uint8_t>(length));
    } else if (length <= 0xFF) {
        writer.u8(0x81);
        writer.u8(static_cast<std::uint8_t>(length));
    } else {
        writer.u8(0x82);
        writer.u16(static_cast<std::uint16_t>(length));
    }
}

}  // namespace

bool within_limits(const CertificateNames& names) {
    return names.uris.size() + names.dns.size() + names.addresses.size() <=
               most_certificate_names &&
           usable_common_name(names.common_name) && std::ranges::all_of(names.uris, usable) &&
           std::ranges::all_of(names.dns, usable);
}

DistinguishedName make_subject(const CertificateNames& names) {
    DistinguishedName subject{X509_NAME_new()};
    if (!names.common_name.empty()) {
        const BytesView octets = as_bytes(names.common_name);
        STILE_ASSERT(X509_NAME_add_entry_by_NID(subject.get(), NID_commonName, V_ASN1_UTF8STRING,
                                                openssl_data(octets.data()),
                                                static_cast<int>(octets.size()), -1, 0) == 1);
    }
    return subject;
}

GeneralNames make_alternative_names(const CertificateNames& names) {
    if (names.uris.empty() && names.dns.empty() && names.addresses.empty()) return {};
    GeneralNames list{GENERAL_NAMES_new()};
    for (const auto& uri : names.uris) {
        push(list.get(), GEN_URI, make_string(V_ASN1_IA5STRING, as_bytes(uri)));
    }
    for (const auto& name : names.dns) {
        push(list.get(), GEN_DNS, make_string(V_ASN1_IA5STRING, as_bytes(name)));
    }
    for (const auto& address : names.addresses) {
        push(list.get(), GEN_IPADD, make_string(V_ASN1_OCTET_STRING, address.octets()));
    }
    return list;
}

CertificateNames read_names(const X509_NAME* subject, const GENERAL_NAMES* alternatives) {
    CertificateNames names{.common_name = read_common_name(subject)};
    if (alternatives == nullptr) return names;
    const int count = std::min(sk_GENERAL_NAME_num(alternatives), int{most_certificate_names});
    for (int i = 0; i < count; ++i) {
        read_alternative(*sk_GENERAL_NAME_value(alternatives, i), names);
    }
    return names;
}

std::expected<PublicKey, KeyError> read_public_key(X509_PUBKEY* key) {
    return PublicKey::from_spki_der(encode_der(key, &i2d_X509_PUBKEY));
}

void set_signature_algorithm(X509_ALGOR* algorithm) {
    STILE_ASSERT(
        X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_ecdsa_with_SHA256), V_ASN1_UNDEF, nullptr) == 1);
}

Bytes assemble_signed(BytesView to_be_signed, BytesView algorithm,
                      const Es256Signature& signature) {
    constexpr std::uint8_t sequence = 0x30;
    constexpr std::uint8_t bit_string = 0x03;
    Bytes body;
    ByteWriter inner{body};
    inner.bytes(to_be_signed);
    inner.bytes(algorithm);
    const Bytes value = signature_to_der(signature);
    write_der_header(inner, bit_string, value.size() + 1);
    inner.u8(0);  // no unused bits
    inner.bytes(value);
    Bytes whole;
    ByteWriter outer{whole};
    write_der_header(outer, sequence, body.size());
    outer.bytes(body);
    return whole;
}

}  // namespace stile::crypto
