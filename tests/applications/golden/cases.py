"""The architectures with the smallest side of an image that each takes here, and how its images are prepared."""

#: Name: (side, mode of preprocess_input).
CASES = {
    "VGG16": (48, "caffe"),
    "VGG19": (48, "caffe"),
    "ResNet50": (197, "caffe"),
    "InceptionV3": (139, "tf"),
    "InceptionResNetV2": (139, "tf"),
    "Xception": (71, "tf"),
    "MobileNet": (32, "tf"),
    "DenseNet121": (32, "torch"),
    "DenseNet169": (32, "torch"),
    "DenseNet201": (32, "torch"),
    "NASNetMobile": (32, "tf"),
    "NASNetLarge": (32, "tf"),
}
