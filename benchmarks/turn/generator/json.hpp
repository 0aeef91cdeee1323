// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "accounting.hpp"

#include <concepts>
#include <string>
#include <string_view>

namespace stile::bench {

// One flat object, written member by member.
class JsonObject {
public:
    template <std::integral Number>
    JsonObject& add(std::string_view name, Number value) {
        return add_raw(name, std::to_string(value));
    }
    JsonObject& add(std::string_view name, double value) {
        return add_raw(name, std::to_string(value));
    }
    JsonObject& add_raw(std::string_view name, std::string_view json) {
        if (text_.size() > 1) text_ += ", ";
        text_.append("\"").append(name).append("\": ").append(json);
        return *this;
    }
    // CPU times in seconds.
    JsonObject& add(const CpuTimes& times) {
        constexpr double second = 1e-9;
        add("seconds", static_cast<double>(times.wall) * second);
        add("cpu_machine", static_cast<double>(times.machine) * second);
        add("cpu_generator", static_cast<double>(times.generator) * second);
        add("cpu_server", static_cast<double>(times.server) * second);
        return add("cpu_softirq", static_cast<double>(times.softirq) * second);
    }
    std::string finish() && { return std::move(text_) + "}"; }

private:
    std::string text_ = "{";
};

}  // namespace stile::bench
