// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "examination.hpp"
#include "home.hpp"
#include "report_output.hpp"

#include <fmt/format.h>
#include <cstdio>

namespace stile::peer {
namespace {

constexpr Port stun_port{3478};

std::optional<SocketAddress> parse_server(const std::string& text) {
    if (const auto address = SocketAddress::parse(text)) return address;
    const auto ip = IpAddress::parse(text);
    return ip ? std::optional{SocketAddress{*ip, stun_port}} : std::nullopt;
}

}  // namespace

int doctor(const DoctorOptions& options) {
    ExaminationConfig config;
    if (!options.stun.empty()) {
        const auto server = parse_server(options.stun);
        if (!server) {
            return app::fail({app::ExitCode::Usage, fmt::format("'{}' is no address", options.stun),
                              "", "", "such as 198.51.100.1 or 198.51.100.1:3478"});
        }
        config.stun_servers.push_back(*server);
    }
    auto store = open_store();
    if (!store) return app::fail(store.error());
    auto account = load_account(*store, options.common.account);
    if (account) {
        config.account = *std::move(account);
    } else if (!options.common.account.empty()) {
        // Without one there is still much to find out, but not as somebody who is not here.
        return app::fail(account.error());
    }

    drivers::Loop loop;
    Examination examination{loop, std::move(config)};
    loop.run_until([&] { return examination.done(); }, 2 * Examination::patience);
    const nat_probe::NetworkFindings found = examination.findings();
    bool stopped = false;
    examination.stop([&] { stopped = true; });
    loop.run_until([&] { return stopped; }, std::chrono::seconds{2});

    const nat_probe::Diagnosis diagnosis = nat_probe::diagnose(found);
    const std::string text =
        options.format == OutputFormat::Json ? dump(to_json(diagnosis, found)) : to_text(diagnosis);
    std::fwrite(text.data(), 1, text.size(), stdout);
    return static_cast<int>(diagnosis.code);
}

}  // namespace stile::peer
