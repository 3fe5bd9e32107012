#include "programs/engine/engine_metrics.hpp"

#include <set>
#include <string>

#include "base/fd.hpp"

using namespace portcullis;

TEST_CASE("engine_metrics: each has a name of its own, a help, and a row in docs/counters.md") {
    const std::string docs = base::read_file(PORTCULLIS_SOURCE_DIR "/docs/counters.md").value();
    std::set<std::string> names;
    for (const programs::EngineMetric& metric : programs::engine_metrics()) {
        const std::string name(metric.name);
        CAPTURE(name);
        CHECK(names.insert(name).second);
        CHECK_FALSE(metric.help.empty());
        CHECK(docs.find("`" + name + "`") != std::string::npos);
    }
}
