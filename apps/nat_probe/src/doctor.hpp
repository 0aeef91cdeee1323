// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/nat_probe/diagnosis.hpp>

#include <string>
#include <string_view>

namespace stile::nat_probe {

// Goes through the findings, one topic after the other, and then says what they come to.
class Doctor {
public:
    explicit Doctor(const NetworkFindings& found) : found_(found) {}

    Diagnosis run();

private:
    using Level = Finding::Level;
    using Server = NetworkFindings::Server;
    using PortMapping = NetworkFindings::PortMapping;

    void add(std::string topic, Level level, std::string found, std::string means = {},
             std::string fix = {}) {
        diagnosis_.findings.push_back(
            {std::move(topic), level, std::move(found), std::move(means), std::move(fix)});
    }
    const NetworkFindings::Udp* answered_udp() const;
    bool answered_tcp() const { return found_.tcp && found_.tcp->mapped; }
    // Packets pass the relay, by whatever way it is reached.
    bool relay_works() const { return relay_works_over_udp() || relay_works_over_stream(); }
    bool relay_works_over_udp() const;
    bool relay_works_over_stream() const;
    std::string_view stream_word() const;  // "TLS"; requires: a relay over a stream is known

    void judge_addresses();
    void judge_udp();
    void judge_blocked_udp();
    void judge_nat();
    void judge_tcp();
    void judge_port_mapping();
    std::string mappings_in_words(PortMapping::Effect effect, std::string_view verb) const;
    void judge_forwarding();
    void judge_pinholes();
    // diagnosis_server.cpp
    void judge_server();
    void judge_reach(const char* topic, const Reach& reach, const char* means);
    void judge_clock();
    // diagnosis_relay.cpp
    void judge_relay();
    void judge_relay_failure(const RelayFindings& relay);
    void judge_stream_relay();
    void judge_stream_relay_failure();
    // diagnosis_verdict.cpp
    void conclude();
    std::string calls_word(const NetworkFindings::Udp* udp) const;
    std::string verdict_text() const;

    const NetworkFindings& found_;
    Diagnosis diagnosis_;
    bool judged_expired_ = false;
    bool refused_ = false;
};

double in_milliseconds(Duration duration);

}  // namespace stile::nat_probe
