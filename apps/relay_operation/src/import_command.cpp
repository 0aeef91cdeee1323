// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/import_command.hpp>

#include <stile/relay/settings_file.hpp>
#include <stile/relay/state_folder.hpp>

#include <fmt/format.h>
#include <filesystem>

namespace stile::relay {

int run_import(const ImportOptions& options) {
    const auto text = read_file(options.file, "coturn's configuration");
    if (!text) return app::fail(text.error());
    CoturnImport result = import_coturn(*text, {}, options.target);
    // coturn's own default, where nothing is said.
    constexpr const char* default_userdb = "/var/lib/turn/turndb";
    std::string userdb = options.userdb.empty() ? result.userdb : options.userdb;
    std::error_code error;
    const bool named = !userdb.empty();
    if (!named) userdb = default_userdb;
    if (named || std::filesystem::exists(userdb, error)) {
        const auto users = read_coturn_users(userdb);
        if (users) {
            result = import_coturn(*text, *users, options.target);
        } else {
            fmt::print(stderr, "{}", app::to_text(users.error()));
            if (!options.userdb.empty()) return static_cast<int>(users.error().code);
        }
    }
    fmt::print(stderr, "{}",
               to_text(result.notes, std::filesystem::path{options.file}.filename().string()));
    const auto made = parse_settings_file(result.toml, "imported");
    if (options.target == ImportTarget::Turnd && !made) {
        return app::fail({app::ExitCode::BadConfiguration, "What was imported cannot be used",
                          made.error().text, "", "correct the line of turnserver.conf it is of"});
    }
    if (options.output.empty()) {
        fmt::print("{}", result.toml);
        return 0;
    }
    // It holds passwords and secrets: nobody else reads it.
    if (const auto written = write_file(options.output, result.toml); !written) {
        return app::fail(written.error());
    }
    fmt::print("Written: {}. The next step:  {} check {}\n", options.output,
               options.target == ImportTarget::Turnd ? "stile-turnd" : "stiled", options.output);
    return 0;
}

}  // namespace stile::relay
