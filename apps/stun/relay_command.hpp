// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace stile::probe {

// `stile-stun relay`: allocates at a TURN URI and sends itself data through the relay. The words of
// its command line, as the user wrote them.
class RelayCommand {
public:
    void add_to(CLI::App* command);
    int run() const;

private:
    std::string uri_;
    std::string user_;
    std::string password_;
    std::string password_file_;
    std::string secret_file_;
    std::string family_ = "default";
    std::string peer_;
    std::string local_;
    std::string name_;
    std::string ca_file_;
    std::vector<std::size_t> sizes_{1, 172, 1200};
    std::size_t count_ = 10;
    double interval_ = 0.01;
    bool tcp_ = false;
    bool mobility_ = false;
    bool dont_fragment_ = false;
    bool json_ = false;
};

}  // namespace stile::probe
