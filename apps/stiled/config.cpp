// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "config.hpp"

#include <stile/app/suggestion.hpp>
#include <stile/base/text.hpp>

#include <fmt/format.h>
#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <functional>
#include <optional>

namespace stile::stiled {
namespace {

constexpr std::uint16_t sip_port = 5060;
constexpr std::uint16_t sips_port = 5061;
constexpr std::uint16_t turn_port = 3478;
constexpr std::uint16_t https_port = 8443;

std::vector<SocketAddress> everywhere(std::uint16_t port) {
    return {{*IpAddress::parse("0.0.0.0"), Port{port}}, {*IpAddress::parse("::"), Port{port}}};
}

// Reads one file; the first mistake ends it.
class Reader {
public:
    Reader(std::string_view text, std::string_view name) : text_(text), name_(name) {}

    std::expected<Config, ConfigError> read() {
        toml::table root;
        try {
            root = toml::parse(text_, name_);
        } catch (const toml::parse_error& error) {
            return std::unexpected(at(error.source(), std::string{error.description()}, ""));
        }
        read_table(
            root, "the file",
            {
                {"domain", [this](const toml::node& node) { read_domain(node); }},
                {"public_address",
                 [this](const toml::node& node) { read_list(node, config_.public_address); }},
                {"state_directory",
                 [this](const toml::node& node) {
                     if (const auto value = string(node)) config_.state_directory = *value;
                 }},
                {"listen", [this](const toml::node& node) { read_listen(node); }},
                {"turn", [this](const toml::node& node) { read_turn(node); }},
                {"accounts", [this](const toml::node& node) { read_accounts(node); }},
            });
        if (error_) return std::unexpected(*error_);
        return config_;
    }

private:
    struct Key {
        std::string_view name;
        std::function<void(const toml::node&)> read;
    };

    void read_table(const toml::node& node, std::string_view place, const std::vector<Key>& keys) {
        const toml::table* const table = node.as_table();
        if (table == nullptr) return complain(node, "a table is wanted here", "");
        for (const auto& [name, value] : *table) {
            if (error_) return;
            const auto key = std::ranges::find(keys, name.str(), &Key::name);
            if (key != keys.end()) {
                key->read(value);
            } else {
                unknown_key(name, place, keys);
            }
        }
    }

    void unknown_key(const toml::key& name, std::string_view place, const std::vector<Key>& keys) {
        std::vector<std::string_view> known;
        for (const Key& key : keys) known.push_back(key.name);
        const auto guess = app::suggest(name.str(), known);
        const std::string hint = guess ? fmt::format("did you mean '{}'?", *guess)
                                       : fmt::format("known here: {}", fmt::join(known, ", "));
        error_ = at(name.source(), fmt::format("unknown key '{}' in {}", name.str(), place), hint);
    }

    void read_listen(const toml::node& node) {
        Config::Listen& listen = config_.listen;
        read_table(node, "[listen]",
                   {
                       {"sip", [&](const toml::node& value) { read_list(value, listen.sip); }},
                       {"sips", [&](const toml::node& value) { read_list(value, listen.sips); }},
                       {"turn", [&](const toml::node& value) { read_list(value, listen.turn); }},
                       {"https", [&](const toml::node& value) { read_list(value, listen.https); }},
                   });
    }

    void read_turn(const toml::node& node) {
        Config::Turn& turn = config_.turn;
        read_table(node, "[turn]",
                   {
                       {"relay_addresses",
                        [&](const toml::node& value) { read_list(value, turn.relay_addresses); }},
                       {"relay_ports", [&](const toml::node& value) { read_ports(value); }},
                       {"allocations_per_user",
                        [&](const toml::node& value) {
                            const auto number = value.value<std::int64_t>();
                            if (!number || *number < 1 || *number > 10000) {
                                return complain(value, "a number from 1 to 10000 is wanted here",
                                                "");
                            }
                            turn.allocations_per_user = static_cast<std::uint32_t>(*number);
                        }},
                       {"allow_peers",
                        [&](const toml::node& value) { read_list(value, turn.allow_peers); }},
                       {"rfc5766_channels",
                        [&](const toml::node& value) {
                            using Channels = Config::Turn::Channels;
                            if (const auto taken = boolean(value)) {
                                turn.channels = *taken ? Channels::Rfc5766 : Channels::Rfc8656;
                            }
                        }},
                   });
    }

    void read_accounts(const toml::node& node) {
        read_table(node, "[accounts]", {{"plain_compatible", [this](const toml::node& value) {
                                             using Plain = Config::PlainCompatible;
                                             if (const auto allowed = boolean(value)) {
                                                 config_.plain_compatible =
                                                     *allowed ? Plain::Allowed : Plain::Refused;
                                             }
                                         }}});
    }

    void read_domain(const toml::node& node) {
        const auto value = string(node);
        if (!value) return;
        const bool sound =
            !value->empty() && value->size() <= 253 &&
            std::ranges::all_of(*value, [](char c) { return is_alnum(c) || c == '-' || c == '.'; });
        if (!sound) return complain(node, "this is no domain name", "such as \"example.org\"");
        config_.domain = to_lower(*value);
    }

    void read_ports(const toml::node& node) {
        const auto value = string(node);
        if (!value) return;
        std::string_view rest = *value;
        const auto first = parse_unsigned(take_until(rest, '-'), 65535);
        const auto last = parse_unsigned(rest, 65535);
        if (!first || !last || *first < 1024 || *first > *last) {
            return complain(node, "this is no range of ports from 1024 to 65535",
                            "such as \"49152-65535\"");
        }
        config_.turn.relay_ports = {static_cast<std::uint16_t>(*first),
                                    static_cast<std::uint16_t>(*last)};
    }

    template <class T>
    void read_list(const toml::node& node, std::vector<T>& list) {
        const toml::array* const array = node.as_array();
        if (array == nullptr) return complain(node, "a list is wanted here", "such as [\"...\"]");
        list.clear();
        for (const toml::node& element : *array) {
            const auto text = string(element);
            if (!text) return;
            const auto value = T::parse(*text);
            if (!value)
                return complain(element, "this is no address of the kind wanted", example<T>());
            list.push_back(*value);
        }
    }

    template <class T>
    static std::string_view example() {
        if constexpr (std::is_same_v<T, SocketAddress>) return "such as \"0.0.0.0:5060\"";
        if constexpr (std::is_same_v<T, IpPrefix>) return "such as \"10.0.0.0/8\"";
        return "such as \"203.0.113.7\"";
    }

    std::optional<std::string> string(const toml::node& node) {
        auto value = node.value_exact<std::string>();
        if (!value) complain(node, "a text in quotation marks is wanted here", "");
        return value;
    }

    std::optional<bool> boolean(const toml::node& node) {
        auto value = node.value_exact<bool>();
        if (!value) complain(node, "true or false is wanted here", "");
        return value;
    }

    void complain(const toml::node& node, std::string_view what, std::string_view hint) {
        if (!error_) error_ = at(node.source(), std::string{what}, hint);
    }

    ConfigError at(const toml::source_region& region, const std::string& what,
                   std::string_view hint) const {
        std::string_view rest = text_;
        std::string_view line;
        for (toml::source_index i = 0; i < region.begin.line; ++i) line = take_until(rest, '\n');
        return {fmt::format("{}:{}:{}: {}\n{:5} | {}\n      | {:>{}} {}\n", name_,
                            region.begin.line, region.begin.column, what, region.begin.line, line,
                            "^", std::max<std::size_t>(region.begin.column, 1), hint)};
    }

    std::string_view text_;
    std::string_view name_;
    Config config_ = default_config();
    std::optional<ConfigError> error_;
};

}  // namespace

Config default_config() {
    Config config;
    config.listen = {everywhere(sip_port), everywhere(sips_port), everywhere(turn_port),
                     everywhere(https_port)};
    return config;
}

std::expected<Config, ConfigError> parse_config(std::string_view text, std::string_view name) {
    return Reader{text, name}.read();
}

}  // namespace stile::stiled
