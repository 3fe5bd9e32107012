// Any bytes as the answer of a name server and of an identd: the result may be written to a line.
#include <cstdlib>
#include <string>

#include "base/ip_address.hpp"
#include "base/ptr_answer.hpp"
#include "sensor/lookup/ident_client.hpp"

using namespace portcullis::sensor_lookup;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto answer = portcullis::base::parse_ptr_answer({data, size});
    if (answer && !answer->name.empty() &&
        (!portcullis::base::is_host_name(answer->name) ||
         portcullis::base::IpAddress::parse(answer->name))) {
        std::abort();
    }
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto user = parse_ident_answer(text, 6193, 23);
    if (user && user->find_first_of(" @:[]()\r\n\t") != std::string::npos) {
        std::abort();
    }
    return 0;
}
