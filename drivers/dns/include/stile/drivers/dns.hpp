// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/drivers/loop.hpp>

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stile::drivers {

struct SrvRecord {
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    Port port;
    std::string target;
    friend bool operator==(const SrvRecord&, const SrvRecord&) = default;
};

struct NaptrRecord {
    std::uint16_t order = 0;
    std::uint16_t preference = 0;
    std::string flags;
    std::string service;
    std::string regexp;
    std::string replacement;
    friend bool operator==(const NaptrRecord&, const NaptrRecord&) = default;
};

enum class DnsFailure : std::uint8_t {
    NotFound,     // the name or the record does not exist
    TimedOut,     // no answer before the deadline
    Unavailable,  // no server can be reached, or it refuses
    BadName,      // not a host name
    BadAnswer,    // an answer that cannot be used
};

struct DnsError {
    DnsFailure failure = DnsFailure::NotFound;
    std::string text;  // "example.org: no such name"
};

template <class T>
using DnsAnswer = std::expected<std::vector<T>, DnsError>;
template <class T>
using OnDnsAnswer = std::move_only_function<void(DnsAnswer<T>)>;

// Where names are looked up. Callbacks never run inside the call.
class NameService {
public:
    virtual ~NameService() = default;
    // IPv4 and IPv6 addresses in the order of preference of RFC 6724.
    virtual void addresses(const std::string& host, OnDnsAnswer<IpAddress> done) = 0;
    virtual void srv(const std::string& name, OnDnsAnswer<SrvRecord> done) = 0;
    virtual void naptr(const std::string& name, OnDnsAnswer<NaptrRecord> done) = 0;
};

struct ResolverOptions {
    std::vector<SocketAddress> servers;           // empty: those of the system
    Duration deadline = std::chrono::seconds{5};  // of one question, over all servers and retries
    // Whether names are looked for in /etc/hosts first.
    enum class HostsFile : std::uint8_t { Ignored, Used };
    HostsFile hosts_file = HostsFile::Used;
};

// c-ares on the loop. Numeric hosts, localhost and names under .localhost (RFC 6761 Section 6.3)
// are answered without asking anybody, so both work with no network. Destroying it drops what
// is under way without a callback.
class Resolver final : public NameService {
public:
    // Throws std::runtime_error when c-ares cannot start.
    explicit Resolver(Loop& loop, const ResolverOptions& options = {});
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;
    ~Resolver() override;

    void addresses(const std::string& host, OnDnsAnswer<IpAddress> done) override;
    void srv(const std::string& name, OnDnsAnswer<SrvRecord> done) override;
    void naptr(const std::string& name, OnDnsAnswer<NaptrRecord> done) override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace stile::drivers
