// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "commands.hpp"

#include <stile/app/problem.hpp>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace stile::probe {

// A result as it is found, printed at the end as lines for people or as one object.
class Report {
public:
    explicit Report(CommonOptions::Format format) : format_(format) {}

    // A line for people: a label and what there is to say. Control characters are escaped.
    void line(std::string_view label, std::string_view text);
    nlohmann::ordered_json& json() { return json_; }
    // Goes to standard output.
    void print() const;
    // For people who wait, at once, to standard error.
    void progress(std::string_view text) const;

private:
    CommonOptions::Format format_;
    std::string text_;
    nlohmann::ordered_json json_ = nlohmann::ordered_json::object();
};

nlohmann::ordered_json to_json(const app::Problem& problem);

// As app::fail; with JSON also as an object with "error" on standard output.
int fail(CommonOptions::Format format, const app::Problem& problem);

// With a line break at the end.
std::string dump(const nlohmann::ordered_json& json);

std::string milliseconds(Duration duration);  // "12.3 ms"
double in_milliseconds(Duration duration);

}  // namespace stile::probe
