// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "report_output.hpp"

#include "describe.hpp"

#include <stile/nat_probe/nat_words.hpp>

#include <fmt/format.h>
#include <algorithm>

namespace stile::peer {
namespace {

using nlohmann::ordered_json;

const char* sign_of(nat_probe::Finding::Level level) {
    switch (level) {
        case nat_probe::Finding::Level::Good:
            return "✓";
        case nat_probe::Finding::Level::Note:
            return "!";
        case nat_probe::Finding::Level::Bad:
            return "✗";
    }
    return "";
}

double in_milliseconds(Duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

template <class Value>
ordered_json text_or_null(const std::optional<Value>& value) {
    return value ? ordered_json(value->to_string()) : ordered_json();
}

ordered_json first_or_null(const std::vector<SocketAddress>& addresses) {
    return addresses.empty() ? ordered_json() : ordered_json(addresses.front().to_string());
}

ordered_json milliseconds_or_null(const std::optional<Duration>& value) {
    return value ? ordered_json(in_milliseconds(*value)) : ordered_json();
}

std::string type_of(ice::CandidateType type) { return std::string{connect::to_string(type)}; }

void add_candidates(std::string& text, const char* label,
                    const std::vector<ice::Candidate>& candidates, ice::Side side) {
    for (const ice::Candidate& candidate : candidates) {
        text +=
            fmt::format("{:<9} {:<5} {}, {}\n", label, connect::to_string(candidate.type),
                        candidate.address.to_string(), connect::describe_origin(candidate, side));
        label = "";
    }
}

ordered_json candidates_json(const std::vector<ice::Candidate>& candidates, ice::Side side) {
    ordered_json list = ordered_json::array();
    for (const ice::Candidate& candidate : candidates) {
        list.push_back({{"type", type_of(candidate.type)},
                        {"address", candidate.address.to_string()},
                        {"priority", candidate.priority},
                        {"origin", connect::describe_origin(candidate, side)}});
    }
    return list;
}

ordered_json sources_json(const std::vector<connect::SourceReport>& sources) {
    ordered_json list = ordered_json::array();
    for (const connect::SourceReport& source : sources) {
        ordered_json& one = list.emplace_back();
        one = {{"kind", connect::to_string(source.kind)},
               {"server", source.path.remote.to_string()},
               {"transport", connect::to_string(source.transport)},
               {"outcome", connect::to_string(source.outcome)},
               {"mapped", text_or_null(source.mapped)},
               {"relayed", first_or_null(source.relayed)},
               {"took_ms", milliseconds_or_null(source.took)},
               {"text", connect::describe(source)}};
        if (source.kind == connect::SourceReport::Kind::Turn) {
            const bool is_tcp = source.relays == turn::RelayProtocol::Tcp;
            one["relays"] = is_tcp ? "tcp" : "udp";
        }
        if (source.failure) {
            one["code"] = source.failure->code;
            one["reason"] = source.failure->reason;
        }
    }
    return list;
}

ordered_json pairs_json(const std::vector<ice::PairReport>& pairs) {
    ordered_json list = ordered_json::array();
    for (const ice::PairReport& pair : pairs) {
        list.push_back({{"local", pair.local.to_string()},
                        {"local_type", type_of(pair.local_type)},
                        {"remote", pair.path.remote.to_string()},
                        {"remote_type", type_of(pair.remote_type)},
                        {"state", connect::to_string(pair.state)},
                        {"valid", pair.valid},
                        {"selected", pair.selected},
                        {"round_trip_ms", milliseconds_or_null(pair.round_trip)},
                        {"text", connect::describe(pair)}});
    }
    return list;
}

}  // namespace

std::string to_text(const nat_probe::Diagnosis& diagnosis) {
    std::string text;
    for (const nat_probe::Finding& finding : diagnosis.findings) {
        text += fmt::format("{} {:<9} {}\n", sign_of(finding.level), finding.topic,
                            app::printable(finding.found));
        if (!finding.means.empty()) {
            text += fmt::format("            {}\n", app::printable(finding.means));
        }
        if (!finding.fix.empty()) {
            text += fmt::format("  fix       {}\n", app::printable(finding.fix));
        }
    }
    return text + fmt::format("Verdict: {}\n", diagnosis.verdict);
}

ordered_json to_json(const connect::NatKnowledge& nat) {
    ordered_json json;
    const auto mapping = nat.mapping();
    const auto filtering = nat.filtering();
    json["mapping"] = mapping ? ordered_json(nat_probe::to_string(*mapping)) : ordered_json();
    json["filtering"] = filtering ? ordered_json(nat_probe::to_string(*filtering)) : ordered_json();
    json["maps_per_destination"] = nat.maps_per_destination();
    const connect::Prospect prospect = connect::prospect(nat);
    json["meets"] = {{"certain", prospect.certain},
                     {"possible", prospect.possible},
                     {"of", connect::Prospect::all}};
    return json;
}

ordered_json to_json(const nat_probe::Diagnosis& diagnosis,
                     const nat_probe::NetworkFindings& found) {
    ordered_json json;
    json["calls"] = diagnosis.calls;
    json["verdict"] = diagnosis.verdict;
    json["exit"] = static_cast<int>(diagnosis.code);
    json["nat"] = to_json(found.nat);
    json["udp"] = ordered_json::array();
    for (const auto& udp : found.udp) {
        json["udp"].push_back({{"server", udp.server.to_string()},
                               {"local", udp.local.to_string()},
                               {"mapped", text_or_null(udp.mapped)},
                               {"round_trip_ms", milliseconds_or_null(udp.round_trip)}});
    }
    if (found.server && found.server->relay) {
        const nat_probe::RelayFindings& relay = *found.server->relay;
        json["relay"] = {{"relayed", text_or_null(relay.relayed)},
                         {"returned", relay.loop == nat_probe::RelayFindings::Loop::Returned},
                         {"round_trip_ms", milliseconds_or_null(relay.round_trip)}};
    }
    if (found.server && found.server->stream_relay) {
        const nat_probe::NetworkFindings::StreamRelay& relay = *found.server->stream_relay;
        using Way = nat_probe::NetworkFindings::StreamRelay::Way;
        json["stream_relay"] = {{"server", relay.server.to_string()},
                                {"transport", connect::to_string(relay.transport)},
                                {"tried", relay.way == Way::Straight},
                                {"relayed", text_or_null(relay.relayed)},
                                {"took_ms", milliseconds_or_null(relay.took)}};
    }
    if (found.clock_ahead) {
        json["clock_ahead_s"] = std::chrono::duration<double>(*found.clock_ahead).count();
    }
    json["findings"] = ordered_json::array();
    for (const nat_probe::Finding& finding : diagnosis.findings) {
        json["findings"].push_back({{"topic", finding.topic},
                                    {"level", nat_probe::to_string(finding.level)},
                                    {"found", finding.found},
                                    {"means", finding.means},
                                    {"fix", finding.fix}});
    }
    return json;
}

std::string to_text(const connect::Explanation& explanation, const connect::PathReport& report,
                    const std::string& peer) {
    std::string text = fmt::format("Peer      {}\n", peer);
    if (report.route) text += fmt::format("Path      {}\n", describe(*report.route));
    const char* label = "Asked";
    for (const connect::SourceReport& source : report.sources) {
        text += fmt::format("{:<9} {}\n", label, app::printable(connect::describe(source)));
        label = "";
    }
    label = "Mapped";
    for (const connect::MappedPort& mapped : report.mapped) {
        text += fmt::format("{:<9} {}\n", label, connect::describe(mapped));
        label = "";
    }
    add_candidates(text, "Ours", report.local, ice::Side::Local);
    add_candidates(text, "Theirs", report.remote, ice::Side::Remote);
    for (const std::string& name : report.unresolved) {
        text += fmt::format("{:<9} {}: nobody on this network has that name\n", "",
                            app::printable(name));
    }
    label = "Tried";
    for (const ice::PairReport& pair : report.pairs) {
        const std::string round_trip =
            pair.round_trip ? fmt::format(", {:.1f} ms", in_milliseconds(*pair.round_trip)) : "";
        text +=
            fmt::format("{:<9} {} {} → {} {}: {}{}\n", label, connect::to_string(pair.local_type),
                        pair.local.to_string(), connect::to_string(pair.remote_type),
                        pair.path.remote.to_string(), connect::describe(pair), round_trip);
        label = "";
    }
    text += fmt::format("Verdict   {}\n", app::printable(explanation.verdict()));
    for (std::size_t i = 1; i < explanation.lines.size(); ++i) {
        text += fmt::format("          {}\n", app::printable(explanation.lines[i].text));
    }
    return text;
}

ordered_json to_json(const connect::Explanation& explanation, const connect::PathReport& report,
                     const std::string& peer) {
    ordered_json json;
    json["peer"] = peer;
    json["outcome"] = connect::to_string(explanation.outcome);
    json["verdict"] = explanation.verdict();
    json["reasons"] = ordered_json::array();
    for (const connect::Explanation::Line& line : explanation.lines) {
        json["reasons"].push_back(
            {{"reason", connect::to_string(line.reason)}, {"text", line.text}});
    }
    json["obstacle"] = connect::to_string(explanation.obstacle);
    json["certainty"] = connect::to_string(explanation.certainty);
    json["our_nat"] = to_json(explanation.ours);
    json["their_nat"] = to_json(explanation.theirs);
    if (report.route) json["path"] = describe(*report.route);
    json["asked"] = sources_json(report.sources);
    json["mapped"] = ordered_json::array();
    for (const connect::MappedPort& mapped : report.mapped) {
        json["mapped"].push_back({{"host", mapped.host.to_string()},
                                  {"external", mapped.external.to_string()},
                                  {"gateway", mapped.gateway.to_string()},
                                  {"tcp", mapped.transport == ice::Transport::Tcp}});
    }
    json["ours"] = candidates_json(report.local, ice::Side::Local);
    json["theirs"] = candidates_json(report.remote, ice::Side::Remote);
    json["unresolved"] = report.unresolved;
    json["pairs"] = pairs_json(report.pairs);
    return json;
}

std::string to_text(const std::vector<Phase>& phases) {
    std::string text;
    Duration last{};
    for (const Phase& phase : phases) {
        if (!text.empty()) text += ", ";
        text += fmt::format("{} {:.0f} ms", phase.name, in_milliseconds(phase.took));
        // Gathering goes on beside the others, and for longer.
        if (phase.name != "gathering") last = std::max(last, phase.begun + phase.took);
    }
    return text + fmt::format(": {:.0f} ms in all", in_milliseconds(last));
}

ordered_json to_json(const std::vector<Phase>& phases) {
    ordered_json list = ordered_json::array();
    for (const Phase& phase : phases) {
        list.push_back({{"phase", phase.name},
                        {"begun_ms", in_milliseconds(phase.begun)},
                        {"took_ms", in_milliseconds(phase.took)}});
    }
    return list;
}

ordered_json to_json(const app::Problem& problem) {
    return {{"what", problem.what},
            {"cause", problem.cause},
            {"evidence", problem.evidence},
            {"fix", problem.fix},
            {"exit", static_cast<int>(problem.code)}};
}

std::string dump(const ordered_json& json) {
    return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace stile::peer
