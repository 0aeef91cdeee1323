// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "openssl.hpp"

#include <array>

namespace stile::drivers::openssl {

std::string last_error() {
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    if (code == 0) return "no cause given";
    if (const char* reason = ERR_reason_error_string(code)) return reason;
    std::array<char, 128> text{};
    ERR_error_string_n(code, text.data(), text.size());
    return text.data();
}

std::vector<Certificate> read_certificates(std::string_view pem) {
    std::vector<Certificate> found;
    const Bio bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
    while (Certificate certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
        found.push_back(std::move(certificate));
    }
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    // "No start line" is how the end of the text shows.
    if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE) return {};
    return found;
}

}  // namespace stile::drivers::openssl
