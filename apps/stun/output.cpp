// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "output.hpp"

#include <fmt/format.h>
#include <cstdio>

namespace stile::probe {

void Report::line(std::string_view label, std::string_view text) {
    text_ += fmt::format("{:<14} {}\n", label, app::printable(text));
}

void Report::print() const {
    const std::string text = format_ == CommonOptions::Format::Json ? dump(json_) : text_;
    std::fwrite(text.data(), 1, text.size(), stdout);
}

void Report::progress(std::string_view text) const {
    if (format_ == CommonOptions::Format::Json) return;
    fmt::print(stderr, "{}\n", app::printable(text));
}

std::string dump(const nlohmann::ordered_json& json) {
    // What a server says may be no UTF-8.
    using Handler = nlohmann::ordered_json::error_handler_t;
    return json.dump(2, ' ', false, Handler::replace) + "\n";
}

nlohmann::ordered_json to_json(const app::Problem& problem) {
    return {{"what", problem.what},
            {"cause", problem.cause},
            {"evidence", problem.evidence},
            {"fix", problem.fix},
            {"exit", static_cast<int>(problem.code)}};
}

int fail(CommonOptions::Format format, const app::Problem& problem) {
    Report report{format};
    report.json()["error"] = to_json(problem);
    report.print();
    return app::fail(problem);
}

double in_milliseconds(Duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

std::string milliseconds(Duration duration) {
    return fmt::format("{:.1f} ms", in_milliseconds(duration));
}

}  // namespace stile::probe
