// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/drivers/file_descriptor.hpp>

#include <optional>
#include <string>
#include <utility>

namespace stile::drivers::kernel::testing {

// A network namespace without a name: it goes with the last descriptor.
class Namespace {
public:
    // Empty where this process may not make one.
    static std::optional<Namespace> make();

    // Runs `ip ARGUMENTS` in it; fails the test where that fails.
    void ip(const std::string& arguments) const;
    // For `ip link set ... netns PATH`.
    std::string path() const;

    // What is opened while this lives belongs to the namespace.
    class Inside {
    public:
        explicit Inside(const Namespace& wanted);
        Inside(const Inside&) = delete;
        Inside& operator=(const Inside&) = delete;
        ~Inside();

    private:
        FileDescriptor before_;
    };

private:
    explicit Namespace(FileDescriptor fd) : fd_(std::move(fd)) {}
    FileDescriptor fd_;
};

enum class Feature : std::uint8_t { Gro, SendChecksums };
enum class Switch : std::uint8_t { Off, On };
// As ethtool -K.
void set_feature(const Namespace& where, const std::string& interface, Feature what, Switch to);

// A UDP socket of a namespace.
class Socket {
public:
    Socket(const Namespace& where, const SocketAddress& local);
    void send(const SocketAddress& to, BytesView payload);
    // What arrived from whom; waits at most two seconds.
    std::optional<std::pair<SocketAddress, Bytes>> receive();
    bool is_empty();  // nothing has arrived
    int fd() const { return fd_.get(); }

private:
    FileDescriptor fd_;
};

}  // namespace stile::drivers::kernel::testing
