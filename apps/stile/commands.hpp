// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>

#include <optional>
#include <string>

namespace stile::peer {

struct CommonOptions {
    std::string account;  // whose; empty: the only one here
    enum class Verbosity : std::uint8_t { Quiet, Normal };
    Verbosity verbosity = Verbosity::Normal;
    std::string event_log;  // of share, get and gateway; empty: none
};

struct LoginOptions {
    std::string link;
};
int login(const LoginOptions& options);

struct ShareOptions {
    CommonOptions common;
    std::string folder;
    std::string title;  // empty: the folder's name
    std::optional<Port> udp_port;
};
int share(const ShareOptions& options);

struct GetOptions {
    CommonOptions common;
    std::string target;
    std::string output;  // empty: the object's own name here; "-": standard output
    enum class Existing : std::uint8_t { Refuse, Replace };
    Existing existing = Existing::Refuse;
};
int get(const GetOptions& options);

struct GatewayOptions {
    CommonOptions common;
    SocketAddress listen{IpAddress::v4({127, 0, 0, 1}), Port{7447}};
    std::optional<Port> udp_port;
};
int gateway(const GatewayOptions& options);

struct StatusOptions {
    CommonOptions common;
    enum class Network : std::uint8_t { Asked, NotAsked };
    Network network = Network::Asked;
};
int status(const StatusOptions& options);

enum class OutputFormat : std::uint8_t { Text, Json };

struct DoctorOptions {
    CommonOptions common;
    std::string stun;  // a server to ask beside one's own: ADDRESS[:PORT]
    OutputFormat format = OutputFormat::Text;
};
int doctor(const DoctorOptions& options);

struct WhyOptions {
    CommonOptions common;
    std::string peer;  // empty: whom one met last
    OutputFormat format = OutputFormat::Text;
};
int why(const WhyOptions& options);

int contacts_list();
int contacts_remove(const std::string& address);

}  // namespace stile::peer
