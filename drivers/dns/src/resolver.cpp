// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/dns.hpp>

#include <stile/base/text.hpp>
#include <stile/drivers/native_address.hpp>

#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>
#include <algorithm>
#include <cstring>
#include <map>
#include <stdexcept>
#include <utility>

namespace stile::drivers {
namespace {

// RFC 1035 Section 3.2.4; the types are of RFC 2782 and RFC 3403.
constexpr int class_in = 1;
constexpr int type_srv = 33;
constexpr int type_naptr = 35;

// Each server is asked this often within the deadline.
constexpr int tries = 3;

DnsFailure failure_of(int status) {
    switch (status) {
        case ARES_ENOTFOUND:
        case ARES_ENODATA:
            return DnsFailure::NotFound;
        case ARES_ETIMEOUT:
            return DnsFailure::TimedOut;
        case ARES_EBADNAME:
            return DnsFailure::BadName;
        case ARES_EBADRESP:
        case ARES_EFORMERR:
            return DnsFailure::BadAnswer;
        default:
            return DnsFailure::Unavailable;
    }
}

DnsError error_of(const std::string& name, int status) {
    return {failure_of(status), name + ": " + ares_strerror(status)};
}

// RFC 6761 Section 6.3.
bool is_localhost(std::string_view host) {
    if (host.ends_with('.')) host.remove_suffix(1);
    constexpr std::string_view localhost = "localhost";
    if (host.size() < localhost.size()) return false;
    if (!iequals(host.substr(host.size() - localhost.size()), localhost)) return false;
    return host.size() == localhost.size() || host[host.size() - localhost.size() - 1] == '.';
}

// RFC 1035 Section 2.3.4 as far as it keeps nonsense from the network.
bool is_plausible_name(std::string_view name) {
    if (name.empty() || name.size() > 253 || name.starts_with('.')) return false;
    return std::ranges::all_of(
               name, [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; }) &&
           !name.contains("..");
}

template <class T>
struct Question {
    Question(Loop& loop, std::string asked, OnDnsAnswer<T> callback)
        : name(std::move(asked)), done(std::move(callback)), deadline(loop, [this] {
              finish(std::unexpected(DnsError{DnsFailure::TimedOut, name + ": no answer in time"}));
          }) {}

    void finish(DnsAnswer<T> answer) {
        if (std::exchange(finished, true)) return;
        deadline.disarm();
        // The callback may destroy the resolver and with it this.
        auto callback = std::move(done);
        callback(std::move(answer));
    }

    std::string name;
    OnDnsAnswer<T> done;
    Timer deadline;
    bool finished = false;
};

std::vector<SrvRecord> to_records(const ares_srv_reply* list) {
    std::vector<SrvRecord> records;
    for (; list != nullptr; list = list->next) {
        records.push_back({list->priority, list->weight, Port{list->port}, list->host});
    }
    return records;
}

std::vector<NaptrRecord> to_records(const ares_naptr_reply* list) {
    const auto text = [](const unsigned char* octets) {
        return std::string{reinterpret_cast<const char*>(octets)};
    };
    std::vector<NaptrRecord> records;
    for (; list != nullptr; list = list->next) {
        records.push_back({list->order, list->preference, text(list->flags), text(list->service),
                           text(list->regexp), list->replacement});
    }
    return records;
}

DnsAnswer<SrvRecord> parse(const std::string& name, const unsigned char* wire, int size,
                           const SrvRecord*) {
    ares_srv_reply* list = nullptr;
    if (const int status = ares_parse_srv_reply(wire, size, &list); status != ARES_SUCCESS) {
        return std::unexpected(error_of(name, status));
    }
    auto records = to_records(list);
    ares_free_data(list);
    return records;
}

DnsAnswer<NaptrRecord> parse(const std::string& name, const unsigned char* wire, int size,
                             const NaptrRecord*) {
    ares_naptr_reply* list = nullptr;
    if (const int status = ares_parse_naptr_reply(wire, size, &list); status != ARES_SUCCESS) {
        return std::unexpected(error_of(name, status));
    }
    auto records = to_records(list);
    ares_free_data(list);
    return records;
}

std::vector<IpAddress> to_addresses(const ares_addrinfo& info) {
    std::vector<IpAddress> found;
    for (const ares_addrinfo_node* node = info.nodes; node != nullptr; node = node->ai_next) {
        sockaddr_storage storage{};
        std::memcpy(&storage, node->ai_addr, node->ai_addrlen);
        const IpAddress address = from_native(storage).ip;
        if (std::ranges::find(found, address) == found.end()) found.push_back(address);
    }
    return found;
}

}  // namespace

struct Resolver::Impl {
    Impl(Loop& owner, const ResolverOptions& wanted);
    ~Impl();

    void socket_state(int fd, bool readable, bool writable);
    void process(int readable, int writable);
    void arm();

    template <class T>
    std::shared_ptr<Question<T>> begin(const std::string& name, OnDnsAnswer<T> done);
    // From the loop, never from within the call that asked.
    template <class T>
    void answer(const std::shared_ptr<Question<T>>& question, DnsAnswer<T> answer);
    template <class T>
    void query(const std::string& name, int type, OnDnsAnswer<T> done);

    // What a query's callback needs, handed through C.
    template <class T>
    struct Handle {
        Impl* impl;
        std::shared_ptr<Question<T>> question;
    };

    Loop& loop;
    ResolverOptions options;
    ares_channel channel = nullptr;
    std::map<int, std::unique_ptr<Watch>> watches;
    Timer timer;
    std::shared_ptr<int> alive = std::make_shared<int>(0);
};

Resolver::Impl::Impl(Loop& owner, const ResolverOptions& wanted)
    : loop(owner),
      options(wanted),
      timer(owner, [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }) {
    // Counts its users; it is not meant to be undone by a library.
    if (const int status = ares_library_init(ARES_LIB_INIT_ALL); status != ARES_SUCCESS) {
        throw std::runtime_error(std::string{"c-ares: "} + ares_strerror(status));
    }
    ares_options native{};
    native.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
        static_cast<Impl*>(self)->socket_state(fd, readable != 0, writable != 0);
    };
    native.sock_state_cb_data = this;
    const auto deadline =
        std::chrono::duration_cast<std::chrono::milliseconds>(options.deadline).count();
    // The wait doubles at each try: a seventh first leaves room for three.
    native.timeout = static_cast<int>(std::max<std::int64_t>(deadline / 7, 1));
    native.tries = tries;
    std::string lookups = options.hosts_file == ResolverOptions::HostsFile::Used ? "fb" : "b";
    native.lookups = lookups.data();
    const int status = ares_init_options(
        &channel, &native,
        ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS);
    if (status != ARES_SUCCESS) {
        throw std::runtime_error(std::string{"c-ares: "} + ares_strerror(status));
    }
    if (options.servers.empty()) return;
    std::string servers;
    for (const SocketAddress& server : options.servers) {
        if (!servers.empty()) servers += ',';
        servers += server.to_string();
    }
    ares_set_servers_ports_csv(channel, servers.c_str());
}

Resolver::Impl::~Impl() {
    alive.reset();
    ares_destroy(channel);
}

void Resolver::Impl::socket_state(int fd, bool readable, bool writable) {
    if (!readable && !writable) {
        watches.erase(fd);
        return;
    }
    auto& watch = watches[fd];
    if (!watch) {
        watch = std::make_unique<Watch>(
            loop, fd, [this, fd] { process(fd, ARES_SOCKET_BAD); },
            [this, fd] { process(ARES_SOCKET_BAD, fd); });
    }
    watch->want_readable(readable ? Watch::Wanted::Yes : Watch::Wanted::No);
    watch->want_writable(writable ? Watch::Wanted::Yes : Watch::Wanted::No);
}

void Resolver::Impl::process(int readable, int writable) {
    ares_process_fd(channel, readable, writable);
    arm();
}

void Resolver::Impl::arm() {
    timeval wait{};
    if (ares_timeout(channel, nullptr, &wait) == nullptr) {
        timer.disarm();
        return;
    }
    // A little later than asked, or c-ares, which counts in microseconds, finds it too early.
    timer.arm_after(std::chrono::seconds{wait.tv_sec} + std::chrono::microseconds{wait.tv_usec} +
                    std::chrono::milliseconds{1});
}

template <class T>
std::shared_ptr<Question<T>> Resolver::Impl::begin(const std::string& name, OnDnsAnswer<T> done) {
    auto question = std::make_shared<Question<T>>(loop, name, std::move(done));
    question->deadline.arm_after(options.deadline);
    return question;
}

template <class T>
void Resolver::Impl::answer(const std::shared_ptr<Question<T>>& question, DnsAnswer<T> answer) {
    loop.post([weak = std::weak_ptr{alive}, question, answer = std::move(answer)]() mutable {
        if (weak.lock()) question->finish(std::move(answer));
    });
}

template <class T>
void Resolver::Impl::query(const std::string& name, int type, OnDnsAnswer<T> done) {
    auto question = begin<T>(name, std::move(done));
    if (!is_plausible_name(name)) {
        answer<T>(question,
                  std::unexpected(DnsError{DnsFailure::BadName, "\"" + name + "\" is not a name"}));
        return;
    }
    auto* handle = new Handle<T>{this, std::move(question)};
    ares_query(
        channel, name.c_str(), class_in, type,
        [](void* argument, int status, int, unsigned char* wire, int size) {
            const std::unique_ptr<Handle<T>> owned{static_cast<Handle<T>*>(argument)};
            if (status == ARES_EDESTRUCTION) return;
            const std::string& asked = owned->question->name;
            owned->impl->template answer<T>(
                owned->question, status == ARES_SUCCESS
                                     ? parse(asked, wire, size, static_cast<const T*>(nullptr))
                                     : std::unexpected(error_of(asked, status)));
        },
        handle);
    arm();
}

Resolver::Resolver(Loop& loop, const ResolverOptions& options)
    : impl_(std::make_unique<Impl>(loop, options)) {}
Resolver::~Resolver() = default;

void Resolver::addresses(const std::string& host, OnDnsAnswer<IpAddress> done) {
    auto question = impl_->begin<IpAddress>(host, std::move(done));
    if (const auto numeric = IpAddress::parse(host)) {
        return impl_->answer<IpAddress>(question, std::vector{*numeric});
    }
    if (is_localhost(host)) {
        // IPv4 first: what people run on their own machine listens there more often.
        return impl_->answer<IpAddress>(
            question, std::vector{*IpAddress::parse("127.0.0.1"), *IpAddress::parse("::1")});
    }
    if (!is_plausible_name(host)) {
        return impl_->answer<IpAddress>(
            question,
            std::unexpected(DnsError{DnsFailure::BadName, "\"" + host + "\" is not a host name"}));
    }
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;  // one entry an address
    auto* handle = new Impl::Handle<IpAddress>{impl_.get(), std::move(question)};
    ares_getaddrinfo(
        impl_->channel, host.c_str(), nullptr, &hints,
        [](void* argument, int status, int, ares_addrinfo* info) {
            const std::unique_ptr<Impl::Handle<IpAddress>> owned{
                static_cast<Impl::Handle<IpAddress>*>(argument)};
            const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> result{
                info, &ares_freeaddrinfo};
            if (status == ARES_EDESTRUCTION) return;
            if (status != ARES_SUCCESS) {
                owned->impl->answer<IpAddress>(
                    owned->question, std::unexpected(error_of(owned->question->name, status)));
                return;
            }
            owned->impl->answer<IpAddress>(owned->question, to_addresses(*info));
        },
        handle);
    impl_->arm();
}

void Resolver::srv(const std::string& name, OnDnsAnswer<SrvRecord> done) {
    impl_->query<SrvRecord>(name, type_srv, std::move(done));
}

void Resolver::naptr(const std::string& name, OnDnsAnswer<NaptrRecord> done) {
    impl_->query<NaptrRecord>(name, type_naptr, std::move(done));
}

}  // namespace stile::drivers
