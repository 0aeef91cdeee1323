// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Writes the messages of RFC 4475 and RFC 5118, octet by octet, a file each, into a folder.
#include "rfc4475_messages.hpp"
#include "rfc5118_messages.hpp"

#include <filesystem>
#include <fstream>

namespace {

bool write(const std::filesystem::path& folder, std::string_view name, std::string_view text) {
    std::ofstream file{folder / name, std::ios::binary};
    file.write(text.data(), static_cast<std::streamsize>(text.size()));
    return file.good();
}

}  // namespace

int main(int count, char** words) {
    if (count != 2) return 2;
    for (const std::string_view document : {"rfc4475", "rfc5118"}) {
        std::filesystem::create_directories(std::filesystem::path{words[1]} / document);
    }
    for (const auto& message : stile::sip::rfc4475) {
        const auto folder = std::filesystem::path{words[1]} / "rfc4475";
        if (!write(folder, message.name, message.text)) return 1;
    }
    for (const auto& message : stile::sip::rfc5118) {
        const auto folder = std::filesystem::path{words[1]} / "rfc5118";
        if (!write(folder, message.name, message.text)) return 1;
    }
    return 0;
}
