// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/base/time.hpp>

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stile::app {

// A place in a file and what is wrong there, ready to print:
//   stiled.toml:14:1: unknown key 'relay_port' in [turn]
//      14 | relay_port = "49152-50175"
//         | ^ did you mean 'relay_ports'?
struct ConfigError {
    std::string text;
};

// A value of the file, for as long as TomlReader::read runs.
struct TomlNode {
    const void* node = nullptr;
};

// A key that is known at a place, and what its value does.
struct TomlKey {
    std::string_view name;
    std::function<void(TomlNode)> read;
};

// A range of ports, "49152-65535".
struct TomlPorts {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
};

// Reads one TOML file by tables of keys. The first mistake ends it: after that nothing is read, and
// the functions that read a value give nothing.
class TomlReader {
public:
    // `name` is how messages call the text. Both must live as long as this.
    TomlReader(std::string_view text, std::string_view name) : text_(text), name_(name) {}

    // `finish` comes last, where nothing is wrong so far; nodes seen before are still good then.
    std::expected<void, ConfigError> read(const std::vector<TomlKey>& keys,
                                          const std::function<void()>& finish = {});

    // Inside of read(). `place` is how messages call the table: "[listen]".
    void table(TomlNode node, std::string_view place, const std::vector<TomlKey>& keys);
    // A table whose keys are names that the operator chooses.
    void names(TomlNode node, const std::function<void(std::string_view, TomlNode)>& each);
    void list(TomlNode node, const std::function<void(TomlNode)>& each);
    bool is_table(TomlNode node) const;
    bool is_list(TomlNode node) const;
    bool is_text(TomlNode node) const;

    std::optional<std::string> text(TomlNode node);
    std::optional<bool> boolean(TomlNode node);
    std::optional<std::uint64_t> number(TomlNode node, std::uint64_t least, std::uint64_t most);
    // A number of seconds, or a text like "90s", "15m", "24h", "7d".
    std::optional<std::uint64_t> seconds(TomlNode node, std::uint64_t least, std::uint64_t most);
    // A date, or a date with a time and its offset: 2027-01-01, 2027-01-01T12:00:00Z.
    std::optional<WallTime> date(TomlNode node);
    // One word of a choice; the answer is its place in the list.
    std::optional<std::size_t> choice(TomlNode node, const std::vector<std::string_view>& words);
    std::optional<SocketAddress> socket_address(TomlNode node);
    std::optional<IpAddress> ip_address(TomlNode node);
    std::optional<std::string> domain_name(TomlNode node);
    std::optional<TomlPorts> ports(TomlNode node);
    std::vector<SocketAddress> socket_addresses(TomlNode node);
    std::vector<IpAddress> ip_addresses(TomlNode node);
    std::vector<IpPrefix> prefixes(TomlNode node);

    // Takes the blame to the file. The hint may be empty.
    void complain(TomlNode node, std::string_view what, std::string_view hint = {});
    bool failed() const { return error_.has_value(); }

private:
    struct Region {
        std::size_t line = 1;
        std::size_t column = 1;
    };
    void unknown_key(std::string_view name, Region region, std::string_view place,
                     const std::vector<TomlKey>& keys);
    ConfigError at(Region region, std::string_view what, std::string_view hint) const;

    std::string_view text_;
    std::string_view name_;
    std::optional<ConfigError> error_;
};

}  // namespace stile::app
