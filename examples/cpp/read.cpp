// Reads pictures with a model file of crnn-ctc, by OpenVINO. docs/deploy.md says how to build it.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <openvino/openvino.hpp>
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>
#define STB_IMAGE_RESIZE_IMPLEMENTATION
#include <stb/stb_image_resize.h>

int main(int argc, char** argv) {
  if (argc < 3) return std::cerr << "usage: read MODEL.onnx PICTURE...\n", 2;
  ov::Core core;
  const auto model = core.read_model(argv[1]);
  // the card: JSON in the file's metadata
  const auto card = nlohmann::json::parse(model->get_rt_info<std::string>("framework", "crnn_ctc"));
  const int blank = card["alphabet"]["blank"];
  std::vector<std::string> characters;  // of the alphabet's UTF-8
  for (const char byte : card["alphabet"]["symbols"].get<std::string>()) {
    if ((byte & 0xC0) != 0x80) characters.emplace_back();
    characters.back() += byte;
  }
  const auto size = model->input("images").get_partial_shape();  // N, H, W, C; N is free
  const ov::Shape shape{1, size_t(size[1].get_length()), size_t(size[2].get_length()),
                        size_t(size[3].get_length())};
  auto request = core.compile_model(model, "CPU").create_infer_request();
  int failed = 0;
  for (int i = 2; i < argc; ++i) {
    int width, height, channels;
    stbi_uc* picture = stbi_load(argv[i], &width, &height, &channels, int(shape[3]));
    if (!picture) {
      std::cerr << argv[i] << ": " << stbi_failure_reason() << '\n', failed = 2;
      continue;
    }
    ov::Tensor images(ov::element::u8, shape);
    stbir_resize_uint8(picture, width, height, 0, images.data<uint8_t>(), int(shape[2]),
                       int(shape[1]), 0, int(shape[3]));
    stbi_image_free(picture);
    request.set_tensor("images", images);
    request.infer();
    const auto output = request.get_tensor("log_probs");  // (1, T, K)
    const size_t steps = output.get_shape()[1], classes = output.get_shape()[2];
    std::string text;  // best path: repeats are merged, blanks dropped
    for (size_t t = 0, previous = blank; t < steps; ++t) {
      const float* row = output.data<const float>() + t * classes;
      const size_t best = std::max_element(row, row + classes) - row;
      if (best != size_t(blank) && best != previous) text += characters[best];
      previous = best;
    }
    std::cout << argv[i] << '\t' << text << '\n';
  }
  return failed;
}
