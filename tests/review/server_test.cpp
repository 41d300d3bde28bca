// SPDX-License-Identifier: Apache-2.0
// The review's server over HTTP: who is let in, what it answers, and that a verdict is a row before
// the answer.
#include "pipeline/review/server.h"

#include <gdal_priv.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <algorithm>
#include <thread>

#include "geometry/error.h"
#include "pipeline/review/page_files.h"
#include "tests/pipeline/tiny_raster.h"
#include "tests/review/review_world.h"

namespace tilewright::pipeline {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Json = nlohmann::json;
using World = tests::ReviewWorld;

class ReviewHttp : public ::testing::Test {
 protected:
  void start() {
    desk_ = std::make_unique<ReviewDesk>(load_job(world_.job(), {}));
    server_ = std::make_unique<ReviewServer>(*desk_, 0);
    serving_ = std::jthread([this](const std::stop_token& stop) { server_->run(stop); });
    client_ = std::make_unique<httplib::Client>("127.0.0.1", server_->port());
    client_->set_keep_alive(true);
    for (int tries = 0; tries < 100 && !client_->Get(at("api/state")); ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  void SetUp() override { start(); }
  void stop() {
    serving_ = {};
    client_.reset();
    server_.reset();
    desk_.reset();
  }
  void TearDown() override { stop(); }

  [[nodiscard]] std::string at(const std::string& path) const {
    return "/" + server_->token() + "/" + path;
  }
  [[nodiscard]] std::string origin() const {
    return "http://127.0.0.1:" + std::to_string(server_->port());
  }
  Json get(const std::string& path, int status = 200) {
    const auto answer = client_->Get(at(path));
    EXPECT_TRUE(answer) << path;
    if (!answer) return {};
    EXPECT_EQ(answer->status, status) << path << " " << answer->body;
    return Json::parse(answer->body, nullptr, false);
  }
  Json post(const std::string& path, const Json& body, int status = 200) {
    const auto answer =
        client_->Post(at(path), {{"Origin", origin()}}, body.dump(), "application/json");
    EXPECT_TRUE(answer) << path;
    if (!answer) return {};
    EXPECT_EQ(answer->status, status) << path << " " << answer->body;
    return Json::parse(answer->body, nullptr, false);
  }
  static Json verdict(int n, const std::string& word, const std::string& who = "ann") {
    return {{"layer", "buildings"}, {"location", World::id(n)}, {"verdict", word}, {"who", who}};
  }
  /// What another program finds in the file while the server runs.
  std::vector<index::VerdictRow> kept() const {
    return index::verdicts(
        index::Manifest::open(world_.work() / "manifest.gpkg", index::Manifest::Mode::read_only));
  }

  tests::ScratchFolder folder_;
  World world_{folder_.path(), 300};
  std::unique_ptr<ReviewDesk> desk_;
  std::unique_ptr<ReviewServer> server_;
  std::jthread serving_;
  std::unique_ptr<httplib::Client> client_;
};

TEST_F(ReviewHttp, WhoDoesNotKnowTheTokenLearnsNothing) {
  EXPECT_EQ(server_->token().size(), 32U);
  auto wrong = server_->token();
  wrong[31] = wrong[31] == '0' ? '1' : '0';
  for (const std::string& path :
       {std::string("/"), std::string("/api/state"), "/" + wrong + "/api/state", "/" + wrong + "/",
        server_->token().substr(1) + "/api/state", "/" + server_->token(),
        std::string("/favicon.ico")}) {
    const auto answer = client_->Get(path.starts_with('/') ? path : "/" + path);
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->status, 404) << path;
    EXPECT_THAT(answer->body, Not(HasSubstr(server_->token())));
    EXPECT_THAT(answer->body, Not(HasSubstr("buildings")));
  }
  const auto post = client_->Post("/" + wrong + "/api/verdict", {{"Origin", origin()}},
                                  verdict(0, "accept").dump(), "application/json");
  ASSERT_TRUE(post);
  EXPECT_EQ(post->status, 404);
  EXPECT_TRUE(kept().empty());
}

TEST_F(ReviewHttp, AnotherNameOfThisMachineIsRefused) {
  for (const std::string& host :
       {std::string("evil.example"), "evil.example:" + std::to_string(server_->port()),
        std::string("127.0.0.1"), std::string("127.0.0.1:1"), std::string()}) {
    const auto answer = client_->Get(at("api/state"), {{"Host", host}});
    ASSERT_TRUE(answer) << host;
    EXPECT_EQ(answer->status, 403) << host;
  }
  const auto local =
      client_->Get(at("api/state"), {{"Host", "localhost:" + std::to_string(server_->port())}});
  ASSERT_TRUE(local);
  EXPECT_EQ(local->status, 200);
}

TEST_F(ReviewHttp, AnotherPageCannotGiveAVerdict) {
  const auto body = verdict(0, "accept").dump();
  for (const httplib::Headers& headers :
       {httplib::Headers{}, httplib::Headers{{"Origin", "http://evil.example"}},
        httplib::Headers{{"Origin", "null"}},
        httplib::Headers{{"Origin", "https://127.0.0.1:" + std::to_string(server_->port())}},
        httplib::Headers{{"Origin", origin() + ".evil.example"}},
        httplib::Headers{{"Origin", origin()}, {"Sec-Fetch-Site", "cross-site"}}}) {
    const auto answer = client_->Post(at("api/verdict"), headers, body, "application/json");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 403) << answer->body;
  }
  const auto form = client_->Post(at("api/verdict"), {{"Origin", origin()}}, body,
                                  "text/plain");  // what a form can send without asking
  ASSERT_TRUE(form);
  EXPECT_EQ(form->status, 415);
  const auto reading = client_->Get(at("api/state"), {{"Origin", "http://evil.example"}});
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->status, 403);
  EXPECT_TRUE(kept().empty());
}

TEST_F(ReviewHttp, NoAnswerSharesWithOthersOrIsFramed) {
  const auto answer = client_->Get(at("api/state"), {{"Origin", origin()}});
  ASSERT_TRUE(answer);
  for (const auto& [name, value] : answer->headers)
    EXPECT_THAT(name, Not(StartsWith("Access-Control")));
  EXPECT_THAT(answer->get_header_value("Content-Security-Policy"), HasSubstr("default-src 'none'"));
  EXPECT_THAT(answer->get_header_value("Content-Security-Policy"),
              HasSubstr("frame-ancestors 'none'"));
  EXPECT_EQ(answer->get_header_value("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(answer->get_header_value("Cache-Control"), "no-store");
  const auto preflight = client_->Options(at("api/verdict"));
  ASSERT_TRUE(preflight);
  EXPECT_NE(preflight->status, 200);
}

TEST_F(ReviewHttp, ThePageIsThreeFilesThatNeedNoNetwork) {
  for (const auto& [path, text, type] :
       {std::tuple{"", review_page(), "text/html"},
        std::tuple{"review.js", review_script(), "text/javascript"},
        std::tuple{"review.css", review_style(), "text/css"}}) {
    const auto answer = client_->Get(at(path));
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, text);
    EXPECT_THAT(answer->get_header_value("Content-Type"), StartsWith(type));
    auto body = answer->body;
    for (const std::string name = "http://www.w3.org/2000/svg";
         body.find(name) != std::string::npos;)
      body.erase(body.find(name), name.size());  // a name space
    EXPECT_THAT(body, Not(HasSubstr("http://"))) << path;
    EXPECT_THAT(body, Not(HasSubstr("https://"))) << path;
  }
}

TEST_F(ReviewHttp, StateNamesLayersScoresAndClasses) {
  const auto state = get("api/state");
  ASSERT_EQ(state["layers"].size(), 1U);
  const auto& layer = state["layers"][0];
  EXPECT_EQ(layer["name"], "buildings");
  EXPECT_EQ(layer["classes"][0]["name"], "building");
  EXPECT_EQ(layer["counts"]["locations"], 300);
  std::vector<std::string> names;
  for (const auto& metric : layer["metrics"]) names.push_back(metric["name"]);
  EXPECT_THAT(names, ::testing::ElementsAre("clipped_frac", "combined", "edge_agreement"));
  EXPECT_EQ(layer["metrics"][0]["smaller_is_better"], true);
}

TEST_F(ReviewHttp, AListComesInPagesAndFindsAPlace) {
  std::vector<std::string> seen;
  for (int from = 0; from < 300; from += 70)
    for (const auto page = get("api/list?layer=buildings&sort=combined&edition=1&count=70&from=" +
                               std::to_string(from));
         const auto& row : page["rows"])
      seen.push_back(row["location"]);
  ASSERT_EQ(seen.size(), 300U);
  auto expected = std::vector<int>(300);
  for (int n = 0; n < 300; ++n) expected[static_cast<std::size_t>(n)] = n;
  std::stable_sort(expected.begin(), expected.end(), [](int a, int b) {
    return std::pair(World::combined(a), World::id(a)) <
           std::pair(World::combined(b), World::id(b));
  });
  for (std::size_t n = 0; n < 300; ++n) EXPECT_EQ(seen[n], World::id(expected[n])) << n;
  EXPECT_EQ(
      get("api/list?layer=buildings&sort=combined&edition=1&count=0&find=" + seen[123])["found"],
      123);
  EXPECT_TRUE(get("api/list?layer=buildings&sort=combined&edition=1&count=0&find=nowhere")["found"]
                  .is_null());
  EXPECT_EQ(get("api/list?layer=buildings&count=100000")["rows"].size(), 300U);
  EXPECT_THAT(get("api/list?layer=buildings&where=combined%20%3E", 400)["error"].get<std::string>(),
              HasSubstr("position"));
  EXPECT_THAT(get("api/list?layer=roads", 400)["error"].get<std::string>(),
              HasSubstr("no layer 'roads'"));
}

TEST_F(ReviewHttp, AVerdictIsARowBeforeTheAnswer) {
  const auto answer = post("api/verdict", {{"layer", "buildings"},
                                           {"location", World::id(4)},
                                           {"verdict", "reject"},
                                           {"who", "  Ann Müller "},
                                           {"note", "two houses „missing“"}});
  const auto rows = kept();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].location_id, World::id(4));
  EXPECT_EQ(rows[0].verdict, "reject");
  EXPECT_EQ(rows[0].who, "Ann Müller");
  EXPECT_EQ(rows[0].note, "two houses „missing“");
  ASSERT_TRUE(rows[0].at);
  EXPECT_EQ(rows[0].at->size(), 24U);
  EXPECT_EQ(answer["counts"]["reject"], 1);
  EXPECT_EQ(get("api/place?layer=buildings&location=" + World::id(4))["verdicts"][0]["who"],
            "Ann Müller");
}

TEST_F(ReviewHttp, SeveralPersonsAndUndo) {
  post("api/verdict", verdict(1, "accept", "ann"));
  const auto second = post("api/verdict", verdict(1, "reject", "bob"));
  EXPECT_EQ(second["counts"]["reject"], 1);
  EXPECT_EQ(second["counts"]["accept"], 0);
  EXPECT_THAT(
      post("api/undo", {{"id", second["id"]}, {"who", "ann"}}, 403)["error"].get<std::string>(),
      HasSubstr("is bob's"));
  EXPECT_EQ(get("api/latest?layer=buildings&who=bob")["id"], second["id"]);
  const auto undone = post("api/undo", {{"id", second["id"]}, {"who", "bob"}});
  EXPECT_EQ(undone["verdict"], "accept");
  EXPECT_EQ(undone["counts"]["accept"], 1);
  EXPECT_EQ(post("api/undo", {{"id", second["id"]}, {"who", "bob"}})["taken_back"],
            false);  // the request came twice
  EXPECT_TRUE(get("api/latest?layer=buildings&who=bob")["id"].is_null());
  EXPECT_EQ(kept().size(), 1U);
  EXPECT_EQ(get("api/list?layer=buildings&verdict=not_mine&who=ann&count=0")["total"], 299);
}

TEST_F(ReviewHttp, WhatIsNoVerdictIsRefusedAndNothingIsKept) {
  EXPECT_THAT(post("api/verdict", verdict(1, "maybe"), 400)["error"].get<std::string>(),
              HasSubstr("'maybe' is none of accept, reject, skip"));
  EXPECT_THAT(post("api/verdict", verdict(1, "accept", " "), 400)["error"].get<std::string>(),
              HasSubstr("needs a name"));
  EXPECT_THAT(post("api/verdict", verdict(1, "accept", "a\nb"), 400)["error"].get<std::string>(),
              HasSubstr("one line"));
  EXPECT_THAT(post("api/verdict", verdict(1, "accept", std::string(81, 'x')), 400)["error"]
                  .get<std::string>(),
              HasSubstr("80"));
  EXPECT_THAT(post("api/verdict", verdict(100000, "accept"), 410)["error"].get<std::string>(),
              HasSubstr("nothing was recorded"));
  auto other_layer = verdict(1, "accept");
  other_layer["layer"] = "roads";
  EXPECT_THAT(post("api/verdict", other_layer, 400)["error"].get<std::string>(),
              HasSubstr("no layer 'roads'"));
  post("api/verdict", Json::array(), 400);
  post("api/verdict", {{"layer", 1}, {"location", Json::object()}}, 400);
  post("api/undo", {{"id", "1"}, {"who", "ann"}}, 400);
  const auto broken = client_->Post(at("api/verdict"), {{"Origin", origin()}}, "{\"layer\": \"bui",
                                    "application/json");
  ASSERT_TRUE(broken);
  EXPECT_EQ(broken->status, 400);
  const auto large = client_->Post(at("api/verdict"), {{"Origin", origin()}},
                                   std::string(200000, ' '), "application/json");
  EXPECT_TRUE(!large || large->status == 413);  // refused, or the connection was cut
  EXPECT_TRUE(kept().empty());
  EXPECT_EQ(get("api/state")["layers"][0]["counts"]["accept"], 0);
}

TEST_F(ReviewHttp, ALocationThatWentAwayIsNamed) {
  {
    auto manifest = index::Manifest::open(world_.work() / "manifest.gpkg",
                                          index::Manifest::Mode::create_or_write);
    manifest.in_transaction([&] { index::remove_location(manifest, World::id(7)); });
  }
  EXPECT_THAT(post("api/verdict", verdict(7, "accept"), 410)["error"].get<std::string>(),
              HasSubstr(World::id(7)));
  EXPECT_THAT(
      get("api/place?layer=buildings&location=" + World::id(7), 410)["error"].get<std::string>(),
      HasSubstr("load the list again"));
  EXPECT_TRUE(kept().empty());
}

TEST_F(ReviewHttp, APlaceTellsViewsLayersAndScores) {
  const auto place = get("api/place?layer=buildings&location=" + World::id(9));
  ASSERT_EQ(place["views"].size(), 3U);
  EXPECT_EQ(place["views"][0]["source"], "dsm");  // in order of time
  EXPECT_EQ(place["first"], 1);                   // the first one in colours
  EXPECT_EQ(place["views"][1]["acquired"], "2021-06-01T00:00:00.000Z");
  ASSERT_EQ(place["overlays"].size(), 1U);
  EXPECT_EQ(place["overlays"][0]["is_reviewed"], true);
  EXPECT_EQ(place["scores"].size(), 2U);  // every tenth has no edge_agreement
  EXPECT_EQ(place["split"], "train");
}

bool is_png(const std::string& body, int edge) {
  const auto number = [&](std::size_t at) {
    return (static_cast<unsigned char>(body[at + 2]) << 8) |
           static_cast<unsigned char>(body[at + 3]);
  };
  return body.size() > 24 && body.starts_with("\x89PNG") && number(16) == edge &&
         number(20) == edge;
}

TEST_F(ReviewHttp, PicturesArePngAndMasksAreTheirPixels) {
  const auto location = "&location=" + World::id(3);
  std::string image;
  for (const std::string& path :
       {"api/picture?show=image&tile=" + std::string(World::kTiles[0]) + location,
        "api/picture?show=edges&tile=" + std::string(World::kTiles[2]) + location,
        "api/thumbnail?layer=buildings" + location}) {
    const auto answer = client_->Get(at(path));
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->status, 200);
    EXPECT_TRUE(is_png(answer->body, World::kSize)) << path;
    EXPECT_NE(answer->body, image);
    image = answer->body;
  }
  const auto mask = client_->Get(at("api/mask?layer=buildings&valid_from=" + location));
  ASSERT_TRUE(mask);
  EXPECT_EQ(mask->get_header_value("X-Size"), "64x64");
  EXPECT_EQ(mask->get_header_value_count("Cache-Control"), 1U);
  const auto label = World::label(World::shift(3));
  EXPECT_TRUE(std::equal(mask->body.begin(), mask->body.end(), label.begin(), label.end(),
                         [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; }));
  get("api/picture?tile=optical-000000000000" + location, 404);
  get("api/mask?layer=roads" + location, 404);
  get("api/prediction?run=unet&tile=" + std::string(World::kTiles[0]) + location, 404);
}

TEST_F(ReviewHttp, APredictionIsCutFromTheMapOfTheRun) {
  std::filesystem::create_directories(world_.work() / "predictions");
  set_up_gdal(std::size_t{16} << 20);
  // Two pixels a metre, its corner 10 m to the west and 8 m to the north of location 1, shorter
  // than the window in the south.
  auto* driver = GetGDALDriverManager()->GetDriverByName("GTiff");
  const auto file =
      world_.work() / "predictions" / ("unet_" + std::string(World::kTiles[0]) + ".tif");
  {
    const DatasetHandle map(driver->Create(file.c_str(), 200, 100, 1, GDT_Byte, nullptr));
    double transform[] = {500000.0 + World::kSize - 10, 0.5, 0, 5300000 + 8, 0, -0.5};
    map->SetGeoTransform(transform);
    OGRSpatialReference crs;
    crs.importFromEPSG(32632);
    map->SetSpatialRef(&crs);
    std::vector<std::uint8_t> pixels(200 * 100);
    for (int row = 0; row < 100; ++row)
      for (int col = 0; col < 200; ++col)
        pixels[static_cast<std::size_t>(row * 200 + col)] =
            static_cast<std::uint8_t>((col / 8 + row / 8) % 2);
    ASSERT_EQ(map->GetRasterBand(1)->RasterIO(GF_Write, 0, 0, 200, 100, pixels.data(), 200, 100,
                                              GDT_Byte, 0, 0),
              CE_None);
  }
  const auto answer =
      client_->Get(at("api/prediction?run=unet&tile=" + std::string(World::kTiles[0]) +
                      "&location=" + World::id(1)));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 404);  // the tile is not in the manifest
  {
    auto manifest = index::Manifest::open(world_.work() / "manifest.gpkg",
                                          index::Manifest::Mode::create_or_write);
    index::TileRow tile;
    tile.tile_id = World::kTiles[0];
    tile.source = "optical";
    tile.status = "ok";
    manifest.in_transaction([&] { index::insert(manifest, tile); });
  }
  const auto found =
      client_->Get(at("api/prediction?run=unet&tile=" + std::string(World::kTiles[0]) +
                      "&location=" + World::id(1)));
  ASSERT_TRUE(found);
  ASSERT_EQ(found->status, 200) << found->body;
  for (int row = 0; row < World::kSize; ++row)
    for (int col = 0; col < World::kSize; ++col) {
      const int map_col = static_cast<int>((col + 0.5 + 10) * 2),
                map_row = static_cast<int>((row + 0.5 + 8) * 2);
      const int expected = map_row >= 100 ? 255 : (map_col / 8 + map_row / 8) % 2;
      ASSERT_EQ(static_cast<std::uint8_t>(
                    found->body[static_cast<std::size_t>(row * World::kSize + col)]),
                expected)
          << col << " " << row;
    }
  EXPECT_EQ(get("api/place?layer=buildings&location=" + World::id(1))["overlays"][1]["kind"],
            "prediction");
  get("api/prediction?run=unet&tile=" + std::string(World::kTiles[0]) +
          "&location=" + World::id(200),
      404);  // elsewhere
}

TEST_F(ReviewHttp, ASecondReviewOfTheWorkspaceIsToldWhoHoldsIt) {
  try {
    const ReviewDesk second(load_job(world_.job(), {}));
    FAIL() << "two reviews of one workspace";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::failed);
    EXPECT_THAT(error.what(), HasSubstr("is in use by pid " + std::to_string(::getpid())));
  }
}

TEST_F(ReviewHttp, APortInUseIsNamed) {
  try {
    const ReviewServer second(*desk_, server_->port());
    FAIL() << "two servers on one port";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(std::to_string(server_->port())));
    EXPECT_THAT(error.what(), HasSubstr("--port"));
  }
}

TEST_F(ReviewHttp, TheNextServerKnowsEveryVerdictAndHasAnotherToken) {
  for (int n = 0; n < 20; ++n) post("api/verdict", verdict(n, n % 2 == 0 ? "accept" : "reject"));
  const auto token = server_->token();
  stop();
  start();
  EXPECT_NE(server_->token(), token);
  const auto counts = get("api/state")["layers"][0]["counts"];
  EXPECT_EQ(counts["accept"], 10);
  EXPECT_EQ(counts["reject"], 10);
  EXPECT_EQ(get("api/list?layer=buildings&verdict=open&count=0")["total"], 280);
}

TEST_F(ReviewHttp, ManyPagesAtOnceLoseNothing) {
  std::vector<std::jthread> persons;
  for (int person = 0; person < 4; ++person)
    persons.emplace_back([this, person] {
      httplib::Client client("127.0.0.1", server_->port());
      client.set_keep_alive(true);
      for (int n = 0; n < 25; ++n) {
        const auto answer = client.Post(
            at("api/verdict"), {{"Origin", origin()}},
            verdict(person * 25 + n, "accept", "person " + std::to_string(person)).dump(),
            "application/json");
        EXPECT_TRUE(answer && answer->status == 200);
        const auto picture =
            client.Get(at("api/thumbnail?layer=buildings&location=" + World::id(person * 25 + n)));
        EXPECT_TRUE(picture && picture->status == 200);
      }
    });
  persons.clear();
  EXPECT_EQ(kept().size(), 100U);
  EXPECT_EQ(get("api/state")["layers"][0]["counts"]["accept"], 100);
}

}  // namespace
}  // namespace tilewright::pipeline
