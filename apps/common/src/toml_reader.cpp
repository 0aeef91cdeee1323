// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/app/toml_reader.hpp>

#include <stile/app/suggestion.hpp>
#include <stile/base/text.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>
#include <algorithm>

namespace stile::app {
namespace {

const toml::node& real(TomlNode node) { return *static_cast<const toml::node*>(node.node); }

constexpr std::size_t most_domain_octets = 253;  // RFC 1035 Section 2.3.4

}  // namespace

std::expected<void, ConfigError> TomlReader::read(const std::vector<TomlKey>& keys,
                                                  const std::function<void()>& finish) {
    toml::table root;
    try {
        root = toml::parse(text_, name_);
    } catch (const toml::parse_error& error) {
        const auto& begin = error.source().begin;
        return std::unexpected(at({begin.line, begin.column}, error.description(), ""));
    }
    table({static_cast<const toml::node*>(&root)}, "the file", keys);
    if (!error_ && finish) finish();
    if (error_) return std::unexpected(*error_);
    return {};
}

void TomlReader::table(TomlNode node, std::string_view place, const std::vector<TomlKey>& keys) {
    const toml::table* const table = real(node).as_table();
    if (table == nullptr) return complain(node, "a table is wanted here");
    for (const auto& [name, value] : *table) {
        if (error_) return;
        const auto key = std::ranges::find(keys, name.str(), &TomlKey::name);
        if (key != keys.end()) {
            key->read({&value});
        } else {
            const auto& begin = name.source().begin;
            unknown_key(name.str(), {begin.line, begin.column}, place, keys);
        }
    }
}

void TomlReader::names(TomlNode node, const std::function<void(std::string_view, TomlNode)>& each) {
    const toml::table* const table = real(node).as_table();
    if (table == nullptr) return complain(node, "a table is wanted here");
    for (const auto& [name, value] : *table) {
        if (error_) return;
        each(name.str(), {&value});
    }
}

void TomlReader::list(TomlNode node, const std::function<void(TomlNode)>& each) {
    const toml::array* const array = real(node).as_array();
    if (array == nullptr) return complain(node, "a list is wanted here", "such as [\"...\"]");
    for (const toml::node& element : *array) {
        if (error_) return;
        each({&element});
    }
}

bool TomlReader::is_table(TomlNode node) const { return real(node).is_table(); }
bool TomlReader::is_list(TomlNode node) const { return real(node).is_array(); }
bool TomlReader::is_text(TomlNode node) const { return real(node).is_string(); }

std::optional<std::string> TomlReader::text(TomlNode node) {
    auto value = real(node).value_exact<std::string>();
    if (!value) complain(node, "a text in quotation marks is wanted here");
    return value;
}

std::optional<bool> TomlReader::boolean(TomlNode node) {
    auto value = real(node).value_exact<bool>();
    if (!value) complain(node, "true or false is wanted here");
    return value;
}

std::optional<std::uint64_t> TomlReader::number(TomlNode node, std::uint64_t least,
                                                std::uint64_t most) {
    const auto value = real(node).value_exact<std::int64_t>();
    if (value && *value >= 0) {
        const auto number = static_cast<std::uint64_t>(*value);
        if (number >= least && number <= most) return number;
    }
    complain(node, fmt::format("a number from {} to {} is wanted here", least, most));
    return std::nullopt;
}

std::optional<std::uint64_t> TomlReader::seconds(TomlNode node, std::uint64_t least,
                                                 std::uint64_t most) {
    std::optional<std::uint64_t> value;
    if (const auto plain = real(node).value_exact<std::int64_t>(); plain && *plain >= 0) {
        value = static_cast<std::uint64_t>(*plain);
    } else if (const auto text = real(node).value_exact<std::string>(); text && !text->empty()) {
        constexpr std::uint64_t most_count = 1'000'000'000;
        const char unit = text->back();
        const std::uint64_t factor = unit == 's'   ? 1
                                     : unit == 'm' ? 60
                                     : unit == 'h' ? 3600
                                     : unit == 'd' ? 86400
                                                   : 0;
        const auto count =
            parse_unsigned(std::string_view{*text}.substr(0, text->size() - 1), most_count);
        if (count && factor != 0) value = *count * factor;
    }
    if (value && *value >= least && *value <= most) return value;
    complain(node, fmt::format("a time from {} to {} seconds is wanted here", least, most),
             "such as 90 or \"15m\" or \"24h\"");
    return std::nullopt;
}

std::optional<WallTime> TomlReader::date(TomlNode node) {
    const auto midnight = [](const toml::date& date) {
        const std::chrono::year_month_day day{std::chrono::year{date.year},
                                              std::chrono::month{date.month},
                                              std::chrono::day{date.day}};
        return WallTime{std::chrono::sys_days{day}};
    };
    if (const auto day = real(node).value_exact<toml::date>()) return midnight(*day);
    const auto moment = real(node).value_exact<toml::date_time>();
    if (moment && moment->offset) {
        const toml::time& time = moment->time;
        return midnight(moment->date) + std::chrono::hours{time.hour} +
               std::chrono::minutes{time.minute} + std::chrono::seconds{time.second} -
               std::chrono::minutes{moment->offset->minutes};
    }
    complain(node, "a date without quotation marks is wanted here",
             "such as 2027-01-01 or 2027-01-01T12:00:00Z");
    return std::nullopt;
}

std::optional<std::size_t> TomlReader::choice(TomlNode node,
                                              const std::vector<std::string_view>& words) {
    const auto value = text(node);
    if (!value) return std::nullopt;
    const auto found = std::ranges::find(words, *value);
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
    const auto guess = suggest(*value, words);
    complain(node, fmt::format("'{}' is no choice here", *value),
             guess ? fmt::format("did you mean '{}'?", *guess)
                   : fmt::format("one of: {}", fmt::join(words, ", ")));
    return std::nullopt;
}

std::optional<SocketAddress> TomlReader::socket_address(TomlNode node) {
    const auto value = text(node);
    if (!value) return std::nullopt;
    auto parsed = SocketAddress::parse(*value);
    if (!parsed) {
        complain(node, "this is no address of the kind wanted", "such as \"0.0.0.0:5060\"");
    }
    return parsed;
}

std::optional<IpAddress> TomlReader::ip_address(TomlNode node) {
    const auto value = text(node);
    if (!value) return std::nullopt;
    auto parsed = IpAddress::parse(*value);
    if (!parsed) complain(node, "this is no address of the kind wanted", "such as \"203.0.113.7\"");
    return parsed;
}

std::optional<std::string> TomlReader::domain_name(TomlNode node) {
    const auto value = text(node);
    if (!value) return std::nullopt;
    const bool sound =
        !value->empty() && value->size() <= most_domain_octets &&
        std::ranges::all_of(*value, [](char c) { return is_alnum(c) || c == '-' || c == '.'; });
    if (sound) return to_lower(*value);
    complain(node, "this is no domain name", "such as \"example.org\"");
    return std::nullopt;
}

std::optional<TomlPorts> TomlReader::ports(TomlNode node) {
    constexpr std::uint64_t most_port = 65535;
    constexpr std::uint64_t first_unprivileged = 1024;
    const auto value = text(node);
    if (!value) return std::nullopt;
    std::string_view rest = *value;
    const auto first = parse_unsigned(take_until(rest, '-'), most_port);
    const auto last = parse_unsigned(rest, most_port);
    if (!first || !last || *first < first_unprivileged || *first > *last) {
        complain(node, "this is no range of ports from 1024 to 65535", "such as \"49152-65535\"");
        return std::nullopt;
    }
    return TomlPorts{static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)};
}

std::vector<SocketAddress> TomlReader::socket_addresses(TomlNode node) {
    std::vector<SocketAddress> all;
    list(node, [&](TomlNode element) {
        if (const auto value = socket_address(element)) all.push_back(*value);
    });
    return all;
}

std::vector<IpAddress> TomlReader::ip_addresses(TomlNode node) {
    std::vector<IpAddress> all;
    list(node, [&](TomlNode element) {
        if (const auto value = ip_address(element)) all.push_back(*value);
    });
    return all;
}

std::vector<IpPrefix> TomlReader::prefixes(TomlNode node) {
    std::vector<IpPrefix> all;
    list(node, [&](TomlNode element) {
        const auto value = text(element);
        if (!value) return;
        const auto parsed = IpPrefix::parse(*value);
        if (!parsed) {
            return complain(element, "this is no address of the kind wanted",
                            "such as \"10.0.0.0/8\"");
        }
        all.push_back(*parsed);
    });
    return all;
}

void TomlReader::complain(TomlNode node, std::string_view what, std::string_view hint) {
    const auto& begin = real(node).source().begin;
    if (!error_) error_ = at({begin.line, begin.column}, what, hint);
}

void TomlReader::unknown_key(std::string_view name, Region region, std::string_view place,
                             const std::vector<TomlKey>& keys) {
    std::vector<std::string_view> known;
    for (const TomlKey& key : keys) known.push_back(key.name);
    const auto guess = suggest(name, known);
    const std::string hint = guess ? fmt::format("did you mean '{}'?", *guess)
                                   : fmt::format("known here: {}", fmt::join(known, ", "));
    error_ = at(region, fmt::format("unknown key '{}' in {}", name, place), hint);
}

ConfigError TomlReader::at(Region region, std::string_view what, std::string_view hint) const {
    std::string_view rest = text_;
    std::string_view line;
    for (std::size_t i = 0; i < region.line; ++i) line = take_until(rest, '\n');
    return {fmt::format("{}:{}:{}: {}\n{:5} | {}\n      | {:>{}} {}\n", name_, region.line,
                        region.column, what, region.line, line, "^",
                        std::max<std::size_t>(region.column, 1), hint)};
}

}  // namespace stile::app
