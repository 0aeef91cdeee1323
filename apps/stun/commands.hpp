// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/base/time.hpp>

#include <optional>
#include <string>

namespace stile::probe {

// What every command takes.
struct CommonOptions {
    std::string server;     // a URI or a host, as the user wrote it
    std::string transport;  // "udp", "tcp", "tls", "dtls"; empty: as the URI says
    std::string name;       // whom the certificate must be for; empty: the host
    std::string ca_file;    // authorities to trust; empty: the system's
    enum class Family : std::uint8_t { Any, V4, V6 };
    Family family = Family::Any;
    std::string local;  // the address to send from; empty: the system's choice
    enum class Format : std::uint8_t { Text, Json };
    Format format = Format::Text;
    Duration patience = std::chrono::seconds{10};  // for an answer
};

struct BindingOptions {
    CommonOptions common;
};
int binding(const BindingOptions& options);

struct NatOptions {
    CommonOptions common;
    enum class Tcp : std::uint8_t { Tested, Skipped };
    Tcp tcp = Tcp::Tested;
    std::size_t padding = 2'000;  // more than one packet; 0 does not test fragments
};
int nat(const NatOptions& options);

struct LifetimeOptions {
    CommonOptions common;
    Duration first = std::chrono::seconds{15};
    Duration longest = std::chrono::minutes{5};
    Duration resolution = std::chrono::seconds{5};
    Duration budget = std::chrono::minutes{30};
};
int lifetime(const LifetimeOptions& options);

struct HairpinOptions {
    CommonOptions common;
};
int hairpin(const HairpinOptions& options);

}  // namespace stile::probe
