// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/trace.hpp>

#include <stile/app/json_field.hpp>

#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>

namespace stile::relay {
namespace {

using nlohmann::json;

// Time only passes between two looks, a second and a little: what went up was refreshed.
constexpr std::int64_t refresh_slack = 5;

struct Entry {
    std::string shown;
    std::int64_t seconds_left = 0;
};

std::map<std::string, Entry> entries_of(const json& session, const char* list) {
    std::map<std::string, Entry> entries;
    const auto found = session.find(list);
    if (found == session.end() || !found->is_array()) return entries;
    for (const json& item : *found) {
        const std::string peer = app::text_of(item, "peer");
        const auto number = app::number_of(item, "number", 0xFFFF);
        const std::string shown = number ? fmt::format("0x{:04x} {}", *number, peer) : peer;
        entries[shown] = {shown, item.value("seconds_left", std::int64_t{0})};
    }
    return entries;
}

void compare(const char* what, const std::map<std::string, Entry>& before,
             const std::map<std::string, Entry>& after, std::vector<std::string>& lines) {
    for (const auto& [key, entry] : after) {
        const auto old = before.find(key);
        if (old == before.end()) {
            lines.push_back(fmt::format("{} {} for {} s", what, entry.shown, entry.seconds_left));
        } else if (entry.seconds_left > old->second.seconds_left + refresh_slack) {
            lines.push_back(
                fmt::format("{} {} refreshed, {} s", what, entry.shown, entry.seconds_left));
        }
    }
    for (const auto& [key, entry] : before) {
        if (!after.contains(key)) lines.push_back(fmt::format("{} {} ended", what, entry.shown));
    }
}

std::uint64_t counted(const json& session, const char* field) {
    const auto traffic = session.find("traffic");
    if (traffic == session.end()) return 0;
    return app::number_of(*traffic, field, UINT64_MAX).value_or(0);
}

}  // namespace

std::vector<std::string> trace_lines(const json& before, const json& after) {
    std::vector<std::string> lines;
    const json old = before.is_object() ? before : json::object();
    if (old.empty()) {
        std::string relayed;
        for (const json& address : after.value("relayed", json::array())) {
            if (address.is_string()) relayed += ' ' + address.get<std::string>();
        }
        lines.push_back(fmt::format("{} over {} from {}, relayed at{}", app::text_of(after, "user"),
                                    app::text_of(after, "transport"), app::text_of(after, "client"),
                                    relayed));
    } else {
        if (app::text_of(old, "client") != app::text_of(after, "client")) {
            lines.push_back("moved to " + app::text_of(after, "client"));
        }
        if (after.value("seconds_left", std::int64_t{0}) >
            old.value("seconds_left", std::int64_t{0}) + refresh_slack) {
            lines.push_back(fmt::format("allocation refreshed, {} s",
                                        after.value("seconds_left", std::int64_t{0})));
        }
    }
    compare("permission", entries_of(old, "permissions"), entries_of(after, "permissions"), lines);
    compare("channel", entries_of(old, "channels"), entries_of(after, "channels"), lines);
    const auto grown = [&](const char* field) {
        const std::uint64_t now = counted(after, field);
        const std::uint64_t then = counted(old, field);
        return now > then ? now - then : 0;
    };
    if (!old.empty() && grown("packets_to_peers") + grown("packets_to_clients") +
                                grown("octets_to_peers") + grown("octets_to_clients") >
                            0) {
        lines.push_back(
            fmt::format("relayed {} packets, {} octets to peers; {} packets, {} octets "
                        "to the client",
                        grown("packets_to_peers"), grown("octets_to_peers"),
                        grown("packets_to_clients"), grown("octets_to_clients")));
    }
    return lines;
}

}  // namespace stile::relay
