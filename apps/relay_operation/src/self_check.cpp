// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/self_check.hpp>

#include <stile/base/text.hpp>
#include <stile/crypto/certificate.hpp>
#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/native_address.hpp>
#include <stile/drivers/tls.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace stile::relay {
namespace {

using Weight = Finding::Weight;

// Ports of the relay range that are tried: a range that is mostly taken shows in a few.
constexpr std::uint32_t probed_ports = 16;
// Receive buffer of a relay under load; smaller ones overflow in bursts.
constexpr std::size_t wanted_receive_buffer = 4'194'304;
constexpr std::chrono::hours renewal_time{24 * 14};
// Nobody had this program before; a clock that says so was never set.
constexpr WallTime earliest_now{std::chrono::seconds{1'750'000'000}};

Finding good(std::string subject, std::string what) {
    return {Weight::Good, std::move(subject), {.what = std::move(what)}};
}

Finding bad(Weight weight, std::string subject, app::Problem problem) {
    return {weight, std::move(subject), std::move(problem)};
}

// 0, or why a socket of the kind cannot be bound there.
int try_bind(const SocketAddress& address, int kind) {
    const drivers::FileDescriptor socket{
        ::socket(address.ip.is_v6() ? AF_INET6 : AF_INET, kind | SOCK_CLOEXEC, 0)};
    if (!socket.valid()) return errno;
    const int on = 1;
    if (address.ip.is_v6()) {
        (void)::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (kind == SOCK_STREAM) {
        (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    const drivers::NativeAddress native = drivers::to_native(address);
    if (::bind(socket.get(), native.get(), native.size) != 0) return errno;
    if (kind == SOCK_STREAM && ::listen(socket.get(), 1) != 0) return errno;
    return 0;
}

std::string_view name_of(ListenerKind kind) {
    switch (kind) {
        case ListenerKind::Udp:
            return "UDP";
        case ListenerKind::Tcp:
            return "TCP";
        case ListenerKind::Tls:
            return "TLS";
        case ListenerKind::Dtls:
            return "DTLS";
    }
    return "";
}

Finding check_listener(const Listener& listener) {
    const bool is_stream = listener.kind == ListenerKind::Tcp || listener.kind == ListenerKind::Tls;
    const std::string subject =
        fmt::format("{} {}", name_of(listener.kind), listener.address.to_string());
    const int code = try_bind(listener.address, is_stream ? SOCK_STREAM : SOCK_DGRAM);
    if (code == 0) return good(subject, "is free");
    std::string fix = "choose another address or port under [listen]";
    if (code == EADDRINUSE) {
        fix = fmt::format(
            "see who has it: ss -lnp{} 'sport = :{}'; stop it, or choose another port "
            "under [listen]",
            is_stream ? 't' : 'u', listener.address.port.value);
    } else if (code == EADDRNOTAVAIL) {
        fix =
            "no interface has this address: see 'ip address'; behind 1:1 NAT listen at the inner "
            "address";
    } else if (code == EACCES) {
        fix =
            "ports below 1024 need CAP_NET_BIND_SERVICE: in the service file "
            "AmbientCapabilities=CAP_NET_BIND_SERVICE";
    }
    return bad(Weight::Fatal, subject,
               {app::ExitCode::BadConfiguration, fmt::format("Cannot listen at {}", subject),
                std::strerror(code), "", fix});
}

void check_relay_address(const Settings& settings, const RelayAddress& address,
                         std::vector<Finding>& findings) {
    const std::string subject = fmt::format("relay address {}", address.local.to_string());
    const std::uint32_t first = settings.ports.first;
    const std::uint32_t last_port = settings.ports.last;
    const std::uint32_t count = last_port - first + 1;
    const std::uint32_t step = std::max(count / probed_ports, 1U);
    std::uint32_t free = 0;
    std::uint32_t tried = 0;
    int last = 0;
    for (std::uint32_t port = first; port <= last_port; port += step) {
        ++tried;
        const int code =
            try_bind({address.local, Port{static_cast<std::uint16_t>(port)}}, SOCK_DGRAM);
        if (code == 0) ++free;
        if (code != 0) last = code;
    }
    if (free == 0) {
        findings.push_back(
            bad(Weight::Fatal, subject,
                {app::ExitCode::BadConfiguration,
                 fmt::format("No relay can be opened at {}", address.local.to_string()),
                 std::strerror(last),
                 fmt::format("none of {} ports tried from {} to {} can be bound", tried,
                             settings.ports.first, settings.ports.last),
                 last == EADDRNOTAVAIL ? "no interface has this address: see 'ip address', and set "
                                         "relay_addresses to one that it shows"
                                       : "choose other relay_ports"}));
        return;
    }
    if (free * 2 < tried) {
        findings.push_back(
            bad(Weight::Warning, subject,
                {app::ExitCode::Other, "Most relay ports are taken already", std::strerror(last),
                 fmt::format("{} of {} ports tried are free", free, tried),
                 "choose other relay_ports"}));
    }
    if (address.external) {
        findings.push_back(
            good(subject, fmt::format("peers see it as {}", address.external->to_string())));
    } else if (address.local.is_private() && !address.local.is_loopback()) {
        findings.push_back(bad(
            Weight::Warning, subject,
            {app::ExitCode::Other, "Peers outside of this network cannot reach relayed addresses",
             fmt::format("{} is a private address, and no external one is configured",
                         address.local.to_string()),
             "",
             "behind 1:1 NAT set external_addresses = [\"...\"], or \"auto\" with a stun_server; "
             "in "
             "a closed network this is as it should be"}));
    } else {
        findings.push_back(good(subject, fmt::format("{} ports", count)));
    }
}

void check_descriptors(const Settings& settings, std::vector<Finding>& findings) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    std::size_t relays = 0;
    for (const Tenant& tenant : settings.tenants) relays += tenant.limits.allocations;
    constexpr std::size_t spare = 1024;
    if (limit.rlim_max >= relays + spare) {
        findings.push_back(good("descriptors", fmt::format("{} allowed", limit.rlim_max)));
        return;
    }
    findings.push_back(bad(
        Weight::Warning, "descriptors",
        {app::ExitCode::Other, "Fewer allocations than configured will fit",
         "each relay is a socket, and this process may have too few",
         fmt::format("RLIMIT_NOFILE is {}, {} allocations are configured", limit.rlim_max, relays),
         fmt::format("in the service file: LimitNOFILE={}", relays + spare)}));
}

void check_clock(WallTime now, std::vector<Finding>& findings) {
    if (now >= earliest_now) {
        findings.push_back(good("clock", fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", now)));
        return;
    }
    findings.push_back(
        bad(Weight::Fatal, "clock",
            {app::ExitCode::Other, "The system's clock is wrong",
             "time-limited credentials and certificates are judged by it",
             fmt::format("it says {:%Y-%m-%d %H:%M:%S} UTC", now), "set it: timedatectl status"}));
}

// RFC 9525 Section 6.3: a wildcard stands for one whole label, the first.
bool covers(std::string_view pattern, std::string_view name) {
    if (to_lower(pattern) == name) return true;
    if (!pattern.starts_with("*.")) return false;
    const std::size_t dot = name.find('.');
    return dot != 0 && dot != std::string_view::npos &&
           to_lower(pattern.substr(1)) == name.substr(dot);
}

// Whether clients that connect to the configured name will take the certificate.
std::optional<app::Problem> name_problem(const SettingsFile& file,
                                         const crypto::CertificateNames& names) {
    if (names.dns.empty() && names.addresses.empty()) {
        return app::Problem{app::ExitCode::Other, "Clients will not accept the certificate",
                            "it names no host: subjectAltName is missing", file.certificate_file,
                            "have one issued with the name that clients' turns: addresses have"};
    }
    const std::string& wanted = file.server_name;
    if (wanted.empty() || std::ranges::any_of(names.dns, [&](const std::string& name) {
            return covers(name, wanted);
        })) {
        return std::nullopt;
    }
    return app::Problem{
        app::ExitCode::Other,
        fmt::format("Clients of turns:{} will not accept the certificate", wanted),
        names.dns.empty() ? "it names addresses only"
                          : fmt::format("it is for {}", fmt::join(names.dns, ", ")),
        file.certificate_file,
        fmt::format("have one issued for {}, or set server_name to the name that it is for",
                    wanted)};
}

void check_certificate(const SettingsFile& file, const Settings& settings, WallTime now,
                       std::vector<Finding>& findings) {
    if (settings.certificate_pem.empty()) return;
    const std::string subject = "certificate";
    const auto fatal = [&](std::string what, std::string cause, std::string fix) {
        findings.push_back(bad(Weight::Fatal, subject,
                               {app::ExitCode::BadConfiguration, std::move(what), std::move(cause),
                                file.certificate_file, std::move(fix)}));
    };
    const auto certificate = crypto::Certificate::from_pem(settings.certificate_pem);
    if (!certificate) {
        return fatal("The certificate cannot be used", "there is no PEM certificate in the file",
                     "it must begin with -----BEGIN CERTIFICATE-----");
    }
    const auto context = drivers::TlsContext::server(
        {.certificate_pem = settings.certificate_pem, .key_pem = settings.key_pem});
    if (!context) {
        return fatal("The certificate cannot be used", context.error().text,
                     "the key must belong to the first certificate of the file");
    }
    const crypto::Validity validity = certificate->validity();
    if (now < validity.not_before) {
        return fatal("The certificate is not valid yet",
                     fmt::format("from {:%Y-%m-%d %H:%M} UTC on", validity.not_before),
                     "check this machine's clock");
    }
    if (now > validity.not_after) {
        return fatal("The certificate has expired",
                     fmt::format("on {:%Y-%m-%d %H:%M} UTC", validity.not_after),
                     "renew it; a running server takes the new one over by itself");
    }
    const crypto::CertificateNames names = certificate->names();
    auto wrong_name = name_problem(file, names);
    if (wrong_name) findings.push_back(bad(Weight::Warning, subject, *std::move(wrong_name)));
    if (now + renewal_time > validity.not_after) {
        findings.push_back(
            bad(Weight::Warning, subject,
                {app::ExitCode::Other, "The certificate expires soon",
                 fmt::format("on {:%Y-%m-%d %H:%M} UTC", validity.not_after), file.certificate_file,
                 "renew it; a running server takes the new one over"}));
        return;
    }
    std::vector<std::string> all = names.dns;
    for (const IpAddress& address : names.addresses) all.push_back(address.to_string());
    findings.push_back(good(subject, fmt::format("for {} until {:%Y-%m-%d}", fmt::join(all, ", "),
                                                 validity.not_after)));
}

void check_buffers(std::vector<Finding>& findings) {
    std::ifstream file{"/proc/sys/net/core/rmem_max"};
    std::size_t most = 0;
    if (!(file >> most)) return;
    // With CAP_NET_ADMIN the limit does not bind: SO_RCVBUFFORCE.
    if (most >= wanted_receive_buffer || ::geteuid() == 0) {
        findings.push_back(good("receive buffers", fmt::format("up to {} octets", most)));
        return;
    }
    findings.push_back(bad(
        Weight::Warning, "receive buffers",
        {app::ExitCode::Other, "Bursts may be lost before they are read",
         "the system grants small receive buffers", fmt::format("net.core.rmem_max is {}", most),
         fmt::format("sysctl -w net.core.rmem_max={}", wanted_receive_buffer)}));
}

void check_credentials(const Settings& settings, WallTime now, std::vector<Finding>& findings) {
    for (const Tenant& tenant : settings.tenants) {
        const std::string subject = fmt::format("realm {}", tenant.realm);
        for (const turn::TokenKey& key : tenant.token_keys) {
            if (key.is_good_at(now)) continue;
            findings.push_back(
                bad(Weight::Warning, subject,
                    {app::ExitCode::Other, fmt::format("No token of key '{}' is taken", key.kid),
                     fmt::format("it has expired on {:%Y-%m-%d %H:%M} UTC", *key.expires), "",
                     "remove it, or exchange a new one with the authorization server"}));
        }
        if (tenant.secrets.empty() && tenant.accounts.empty() && tenant.token_keys.empty()) {
            findings.push_back(bad(Weight::Warning, subject,
                                   {app::ExitCode::Other, "Nobody can relay in this realm",
                                    "it has neither secrets nor accounts nor token keys", "",
                                    "add secrets or accounts to its table in [tenants]"}));
            continue;
        }
        findings.push_back(good(
            subject, fmt::format("{} secrets, {} accounts, {} token keys", tenant.secrets.size(),
                                 tenant.accounts.size(), tenant.token_keys.size())));
    }
}

void check_kernel_path(const Settings& settings, std::vector<Finding>& findings) {
    if (settings.kernel_path == KernelPath::Off) return;
    if (::geteuid() == 0) {
        findings.push_back(good("kernel path", "this process may load BPF programs"));
        return;
    }
    findings.push_back(
        bad(Weight::Warning, "kernel path",
            {app::ExitCode::Other, "Relaying stays in user space if BPF may not be loaded",
             "this process does not run as root", "",
             "in the service file: AmbientCapabilities=CAP_BPF CAP_NET_ADMIN CAP_PERFMON"}));
}

}  // namespace

std::vector<Finding> self_check(const SettingsFile& file, const Settings& settings, Ports ports,
                                WallTime now) {
    std::vector<Finding> findings;
    check_clock(now, findings);
    if (ports == Ports::Probe) {
        for (const Listener& listener : settings.listeners) {
            Finding finding = check_listener(listener);
            const bool optional =
                file.listeners == SettingsFile::Listeners::Default && listener.address.ip.is_v6();
            if (finding.weight == Weight::Fatal && optional) continue;
            findings.push_back(std::move(finding));
        }
    }
    if (settings.relay_addresses.empty()) {
        findings.push_back(bad(Weight::Fatal, "relay addresses",
                               {app::ExitCode::BadConfiguration, "There is nothing to relay from",
                                "this machine has no address", "", "set relay_addresses"}));
    }
    for (const RelayAddress& address : settings.relay_addresses) {
        check_relay_address(settings, address, findings);
    }
    check_certificate(file, settings, now, findings);
    check_credentials(settings, now, findings);
    check_descriptors(settings, findings);
    check_buffers(findings);
    check_kernel_path(settings, findings);
    return findings;
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);  // what was granted before is what there is
}

std::string to_text(const std::vector<Finding>& findings) {
    std::string text;
    for (const Finding& finding : findings) {
        if (finding.weight == Weight::Good) {
            text += fmt::format("  good     {}: {}\n", finding.subject, finding.problem.what);
        }
    }
    for (const Finding& finding : findings) {
        if (finding.weight == Weight::Good) continue;
        text += finding.weight == Weight::Fatal ? "  FATAL    " : "  warning  ";
        text += fmt::format("{}\n{}", finding.subject, app::to_text(finding.problem));
    }
    return text;
}

bool any_fatal(const std::vector<Finding>& findings) {
    return std::ranges::any_of(
        findings, [](const Finding& finding) { return finding.weight == Weight::Fatal; });
}

}  // namespace stile::relay
