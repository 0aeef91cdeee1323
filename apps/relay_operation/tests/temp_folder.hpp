// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace stile::relay::testing {

// A folder that goes with the test.
class TempFolder {
public:
    TempFolder() {
        path_ = std::filesystem::temp_directory_path() / "stile-relay-XXXXXX";
        REQUIRE(::mkdtemp(path_.data()) != nullptr);
    }
    ~TempFolder() { std::filesystem::remove_all(path_); }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;

    const std::string& path() const { return path_; }
    // Writes a file; its path.
    std::string file(std::string_view name, std::string_view text) const {
        std::string path = path_ + '/' + std::string{name};
        std::ofstream{path} << text;
        return path;
    }

private:
    std::string path_;
};

}  // namespace stile::relay::testing
