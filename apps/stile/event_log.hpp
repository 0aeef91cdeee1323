// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "commands.hpp"

#include <stile/app/problem.hpp>
#include <stile/base/time.hpp>

#include <cstdio>
#include <expected>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace stile::peer {

// What a running program meets, one JSON object a line, for who looks on: each has "time" (UTC,
// milliseconds) and "event". Each line is there as soon as it is written. The lines are described
// in stile(1).
class EventLog {
public:
    // Appends to a file, which is made where there is none, readable by its owner alone: the lines
    // name peers and addresses.
    static std::expected<EventLog, app::Problem> open(const std::string& path);

    // `fields` is an object. What cannot be written is lost: a full disk ends no transfer.
    void write(std::string_view event, nlohmann::ordered_json fields);

private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    explicit EventLog(std::FILE* file) : file_(file) {}

    std::unique_ptr<std::FILE, Close> file_;
};

// The one that --event-log names; absent where it names none.
std::expected<std::optional<EventLog>, app::Problem> open_log(const CommonOptions& options);

}  // namespace stile::peer
