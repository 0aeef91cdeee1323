// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sdp/http_carriers.hpp>

#include <stile/base/text.hpp>
#include <stile/sdp/grouping.hpp>
#include <stile/sdp/ice_attributes.hpp>

#include <algorithm>
#include <array>

namespace stile::sdp {

namespace {

struct CarrierEntry {
    HttpCarrier carrier;
    std::string_view name;
    std::string_view proto;
    std::string_view format;
};

constexpr std::array<CarrierEntry, 3> carriers{{
    {HttpCarrier::Quic, "QUIC", "UDP/QUIC", "h3"},
    {HttpCarrier::Tls, "TLS", "TCP/TLS", "http"},
    {HttpCarrier::DataChannel, "data channel", "UDP/DTLS/SCTP", "webrtc-datachannel"},
}};

const CarrierEntry& entry(HttpCarrier carrier) {
    return *std::find_if(carriers.begin(), carriers.end(),
                         [&](const CarrierEntry& each) { return each.carrier == carrier; });
}

bool may_be_used(const Fingerprint& fingerprint) {
    return fingerprint.hash != HashFunction::Md5 && fingerprint.hash != HashFunction::Md2;
}

}  // namespace

std::string_view to_string(HttpCarrier carrier) { return entry(carrier).name; }

std::optional<HttpCarrier> http_carrier(const MediaDescription& section) {
    if (!iequals(section.media, "application") || section.formats.size() != 1) return {};
    for (const CarrierEntry& each : carriers) {
        if (section.is_proto(each.proto) && iequals(section.formats.front(), each.format)) {
            return each.carrier;
        }
    }
    return {};
}

MediaDescription make_carrier(HttpCarrier carrier, const CarrierParameters& parameters) {
    MediaDescription section;
    section.media = "application";
    section.port = Port{9};
    section.proto = entry(carrier).proto;
    section.formats = {std::string{entry(carrier).format}};
    section.connections = {Connection{}};
    Attributes& attributes = section.attributes;
    if (parameters.mid) attributes.add(Mid{*parameters.mid});
    attributes.add(Setup{parameters.setup});
    // RFC 8842 Section 7 wants it beside tls-id; only TCP has it.
    if (carrier == HttpCarrier::Tls) attributes.add(ConnectionAttribute{ConnectionUse::New});
    if (parameters.tls_id) attributes.add(TlsId{*parameters.tls_id});
    for (const Fingerprint& each : parameters.fingerprints) attributes.add(each);
    if (carrier == HttpCarrier::DataChannel) {
        attributes.add(SctpPort{parameters.sctp_port});
        attributes.add(MaxMessageSize{parameters.max_message_octets});
    }
    attributes.add(IceUfrag{parameters.ufrag});
    attributes.add(IcePwd{parameters.pwd});
    if (!parameters.ice_options.empty()) attributes.add(IceOptions{parameters.ice_options});
    for (const Candidate& each : parameters.candidates) attributes.add(each);
    if (parameters.end_of_candidates) attributes.add(EndOfCandidates{});
    return section;
}

std::string_view to_string(CarrierFault fault) {
    switch (fault) {
        case CarrierFault::NotACarrier:
            return "the section is no carrier of HTTP";
        case CarrierFault::Rejected:
            return "the section was rejected";
        case CarrierFault::MissingCredentials:
            return "no usable ice-ufrag and ice-pwd";
        case CarrierFault::MissingFingerprint:
            return "no usable fingerprint";
        case CarrierFault::BadSetup:
            return "no usable setup role";
        case CarrierFault::MissingSctpPort:
            return "no sctp-port";
    }
    return {};
}

std::expected<CarrierParameters, CarrierFault> read_carrier(const Description& description,
                                                            std::size_t section_index) {
    if (section_index >= description.media.size()) {
        return std::unexpected(CarrierFault::NotACarrier);
    }
    const MediaDescription& section = description.media[section_index];
    const auto carrier = http_carrier(section);
    if (!carrier) return std::unexpected(CarrierFault::NotACarrier);
    if (section.rejected()) return std::unexpected(CarrierFault::Rejected);
    const Attributes& attributes = section.attributes;

    CarrierParameters parameters;
    const auto ufrag = description.effective<IceUfrag>(section);
    const auto pwd = description.effective<IcePwd>(section);
    if (!ufrag || !pwd) return std::unexpected(CarrierFault::MissingCredentials);
    parameters.ufrag = ufrag->text;
    parameters.pwd = pwd->text;
    for (const IceOptions& each : description.all_effective<IceOptions>(section)) {
        parameters.ice_options.insert(parameters.ice_options.end(), each.tags.begin(),
                                      each.tags.end());
    }
    parameters.candidates = attributes.all<Candidate>();
    parameters.end_of_candidates =
        attributes.has(EndOfCandidates::name) || description.attributes.has(EndOfCandidates::name);

    parameters.fingerprints = description.all_effective<Fingerprint>(section);
    std::erase_if(parameters.fingerprints,
                  [](const Fingerprint& each) { return !may_be_used(each); });
    if (parameters.fingerprints.empty()) return std::unexpected(CarrierFault::MissingFingerprint);

    const auto setup = description.effective<Setup>(section);
    if (!setup || setup->role == SetupRole::Holdconn) {
        return std::unexpected(CarrierFault::BadSetup);
    }
    parameters.setup = setup->role;
    if (const auto id = attributes.get<TlsId>()) parameters.tls_id = id->text;
    if (const auto mid = attributes.get<Mid>()) parameters.mid = mid->text;
    if (*carrier == HttpCarrier::DataChannel) {
        const auto port = attributes.get<SctpPort>();
        if (!port) return std::unexpected(CarrierFault::MissingSctpPort);
        parameters.sctp_port = port->port;
        if (const auto size = attributes.get<MaxMessageSize>()) {
            parameters.max_message_octets = size->octets;
        }
    }
    return parameters;
}

}  // namespace stile::sdp
