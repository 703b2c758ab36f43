"""The heads: small graphs from trunk features to boxes, heat maps and species. Graphs only; no training here.

Every head names its layers after itself, so that weights trained on cached features move into the detector by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from worker.models.names import HeadName

_BOX_CHANNELS = 64
_HIRES_CHANNELS = 48


def head_outputs(
    head: HeadName, features: Any, *, species: int, input_hw: tuple[int, int], metadata: Any = None
) -> dict[str, Any]:
    """Return the head's outputs by name on a feature tensor.

    features: (B, h, w, C). `box_species` gives box (B, 4) xyxy in input pixels, box_species (B, S) probabilities and,
    for training, location_map (B, h * w): where it looks;
    the heat-map heads give heatmap (B, h', w', S) logits and heatmap_species (B, S), `heatmap_hires` also ltrb_offsets
    (B, h, w, 4): a box a cell; the others give species (B, S).
    """
    if head is HeadName.BOX_SPECIES:
        return _box_species(features, species=species, input_hw=input_hw)
    if head is HeadName.DENSE_METADATA:
        return _dense(features, species, prefix="dense_metadata", metadata=metadata)
    build: dict[HeadName, Callable[[Any, int], dict[str, Any]]] = {
        HeadName.HEATMAP_HIRES: lambda x, s: _heatmap_hires(x, s, input_hw),
        HeadName.HEATMAP: lambda x, s: _heatmap_pooled(x, s, strongest=False),
        HeadName.HEATMAP_MAX: lambda x, s: _heatmap_pooled(x, s, strongest=True),
        HeadName.DENSE: lambda x, s: _dense(x, s, prefix="dense", metadata=None),
        HeadName.INCEPTION: _inception,
        HeadName.GAP: _gap,
    }
    return build[head](features, species)


def build_head(
    head: HeadName, *, feature_shape: tuple[int, int, int], species: int, input_hw: tuple[int, int], sizes: int = 0
) -> Any:
    """Return the head as a model of its own, for training on cached features.

    feature_shape: (h, w, C). sizes: how many image sizes `dense_metadata` tells apart.
    """
    from worker.models.keras_import import keras

    features = keras.Input(feature_shape, name="features")
    if head is not HeadName.DENSE_METADATA:
        outputs = head_outputs(head, features, species=species, input_hw=input_hw)
        return keras.Model(features, outputs, name=head.value)
    metadata = keras.Input((sizes,), name="metadata")
    outputs = head_outputs(head, features, species=species, input_hw=input_hw, metadata=metadata)
    return keras.Model({"features": features, "metadata": metadata}, outputs, name=head.value)


def _conv_norm_relu(x: Any, filters: int, kernel: int, name: str) -> Any:
    from worker.models.keras_import import keras

    layers = keras.layers
    x = layers.Conv2D(filters, kernel, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _box_species(features: Any, *, species: int, input_hw: tuple[int, int]) -> dict[str, Any]:
    """The lesson's box head: one shared dense stack, four linear outputs, one softmax.

    Two things are added, because a flattened grid alone must learn every place anew, which takes more images than
    most projects have labelled. A learnt map of where the largest fish is (output `location_map`, for training only)
    gives the stack a first box, its mean and spread, which the linear outputs correct; and outputs are in parts of the
    input's sides, scaled to pixels by a fixed layer, so that the first steps need not grow weights several hundredfold.
    """
    from worker.models.keras_import import keras

    layers, (rows, columns) = keras.layers, input_hw
    squeezed = _conv_norm_relu(features, _BOX_CHANNELS, 1, "box_squeeze")  # (B, h, w, 64)
    shares, first_box = _first_box(_conv_norm_relu(squeezed, 32, 3, "box_near"))
    x = _conv_norm_relu(layers.MaxPooling2D(2, padding="same", name="box_pool1")(squeezed), 48, 3, "box_mix")
    x = layers.MaxPooling2D(2, padding="same", name="box_pool2")(x)  # (B, h/4, w/4, 48)
    seen = layers.Dot(axes=1, name="box_seen")([shares, _cells(squeezed, "box_squeezed_cells")])  # (B, 64)
    x = layers.Dropout(0.3, name="box_drop1")(layers.Flatten(name="box_flatten")(x))
    x = layers.Dense(192, use_bias=False, name="box_dense1")(layers.Concatenate(name="box_join")([x, first_box, seen]))
    x = layers.ReLU(name="box_relu1")(layers.BatchNormalization(momentum=0.9, name="box_bn1")(x))
    x = layers.Dropout(0.2, name="box_drop2")(x)
    x = layers.Dense(96, activation="relu", name="box_dense2")(layers.Concatenate(name="box_again")([x, seen]))
    correction = layers.Dense(4, kernel_initializer="zeros", name="box_linear")(x)
    unit = layers.Add(name="box_corrected")([first_box, correction])  # (B, 4), parts of the input's sides
    to_pixels = layers.Rescaling([columns, rows, columns, rows], dtype="float32", name="box_to_pixels")
    return {
        "box": to_pixels(unit),
        "location_map": shares,
        "box_species": layers.Dense(species, activation="softmax", name="box_softmax")(x),
    }


def _cells(x: Any, name: str) -> Any:
    from worker.models.keras_import import keras

    return keras.layers.Reshape((x.shape[1] * x.shape[2], x.shape[3]), name=name)(x)


def _first_box(x: Any) -> tuple[Any, Any]:
    """Return where the largest fish is, (B, h * w) summing to 1, and the box that such a spread would fill, (B, 4).

    An even spread over a side of length L has a deviation of L / sqrt(12): half the side is sqrt(3) deviations.
    Source: Nibali et al. 2018, "Numerical coordinate regression", section 3.
    """
    from worker.models.keras_import import keras

    layers, ops, (rows, columns) = keras.layers, keras.ops, x.shape[1:3]
    logits = layers.Conv2D(1, 3, padding="same", name="box_map")(x)
    shares = layers.Softmax(name="location_map")(layers.Flatten(name="box_map_cells")(logits))
    spots = [((col + 0.5) / columns, (row + 0.5) / rows) for row in range(rows) for col in range(columns)]
    table = [[across, down, across**2, down**2] for across, down in spots]  # (h * w, 4)
    fixed = keras.initializers.Constant(table)
    where = layers.Dense(4, use_bias=False, kernel_initializer=fixed, trainable=False, name="box_where")(shares)
    mean, square = where[:, :2], where[:, 2:]
    half = 3.0**0.5 * ops.sqrt(ops.relu(square - mean * mean) + 1e-5)
    return shares, layers.Concatenate(name="box_first")([mean - half, mean + half])


def _heatmap_hires(features: Any, species: int, input_hw: tuple[int, int]) -> dict[str, Any]:
    """Convolutions without pooling to one map a species, at the trunk's grid.

    The image's species comes from the average of the maps, as in the lesson, behind a learnt scale and shift a
    species: a fish covers about a sixty-fourth of the image, so a plain average of cells that are each right about
    what they show would always say "no fish".
    """
    from worker.models.keras_import import keras

    layers = keras.layers
    x = _conv_norm_relu(features, _HIRES_CHANNELS, 1, "hires_squeeze")
    x = _conv_norm_relu(x, _HIRES_CHANNELS, 3, "hires_mix1")
    x = layers.SpatialDropout2D(0.1, name="hires_drop")(x)
    x = _conv_norm_relu(x, _HIRES_CHANNELS, 3, "hires_mix2")
    logits = layers.Conv2D(species, 3, padding="same", name="hires_maps")(x)  # (B, h, w, S)
    cells = layers.Softmax(name="hires_cells")(logits)
    # Mean probability a species over all cells, and its strongest neighbourhood: how much fish, and how sure.
    spread = layers.GlobalAveragePooling2D(name="hires_mean")(cells)  # (B, S)
    smooth = layers.AveragePooling2D(3, strides=1, padding="same", name="hires_smooth")(cells)
    peak = layers.GlobalMaxPooling2D(name="hires_peak")(smooth)  # (B, S)
    evidence = layers.Concatenate(name="hires_evidence")(
        [spread, peak, layers.GlobalAveragePooling2D(name="hires_gap")(logits)]
    )
    evidence = layers.BatchNormalization(momentum=0.9, name="hires_evidence_bn")(evidence)
    return {
        "heatmap": logits,
        "ltrb_offsets": _ltrb_offsets(x, input_hw),
        "heatmap_species": layers.Dense(species, activation="softmax", name="hires_softmax")(evidence),
    }


def _ltrb_offsets(x: Any, input_hw: tuple[int, int]) -> Any:
    """Return how far each cell's centre lies from the sides of the fish it shows, (B, h, w, 4) input pixels.

    Left, top, right, bottom. The first guess is a fish of an eighth of the image's width.
    Source: Tian et al. 2019 (FCOS), section 3.1.
    """
    from worker.models.keras_import import keras

    layers = keras.layers
    x = _conv_norm_relu(x, _HIRES_CHANNELS, 3, "hires_ltrb_mix")
    x = layers.Conv2D(4, 3, padding="same", name="hires_ltrb")(x)
    x = layers.Activation("softplus", name="hires_ltrb_positive")(x)
    return layers.Rescaling(input_hw[1] / 11.0, dtype="float32", name="hires_ltrb_to_pixels")(x)


def _heatmap_pooled(features: Any, species: int, *, strongest: bool) -> dict[str, Any]:
    """Convolutions with pooling to one map a species, pooled to the image's species.

    The pooled maps pass a learnt scale and shift a species for the reason given at `_heatmap_hires`: the most certain
    cell of "no fish" is certain in every image.
    """
    from worker.models.keras_import import keras

    layers, prefix = keras.layers, "heatmap_max" if strongest else "heatmap"
    x = _conv_norm_relu(features, 64, 1, f"{prefix}_squeeze")
    x = layers.MaxPooling2D(2, padding="same", name=f"{prefix}_down1")(x)
    x = layers.SpatialDropout2D(0.1, name=f"{prefix}_drop")(_conv_norm_relu(x, 96, 3, f"{prefix}_mix1"))
    x = layers.MaxPooling2D(2, padding="same", name=f"{prefix}_down2")(x)
    x = _conv_norm_relu(x, 96, 3, f"{prefix}_mix2")
    logits = layers.Conv2D(species, 3, padding="same", name=f"{prefix}_maps")(x)  # (B, h/4, w/4, S)
    cells = layers.Softmax(name=f"{prefix}_cells")(logits)
    pool = layers.GlobalMaxPooling2D if strongest else layers.GlobalAveragePooling2D
    evidence = layers.Concatenate(name=f"{prefix}_evidence")(
        [pool(name=f"{prefix}_pool")(logits), pool(name=f"{prefix}_cells_pool")(cells)]
    )  # (B, 2 S)
    evidence = layers.BatchNormalization(momentum=0.9, name=f"{prefix}_evidence_bn")(evidence)
    return {
        "heatmap": logits,
        "heatmap_species": _even_softmax(evidence, species, f"{prefix}_softmax"),
    }


def _dense(features: Any, species: int, *, prefix: str, metadata: Any) -> dict[str, Any]:
    from worker.models.keras_import import keras

    layers = keras.layers
    pooled = [
        layers.GlobalAveragePooling2D(name=f"{prefix}_mean")(features),
        layers.GlobalMaxPooling2D(name=f"{prefix}_peak")(features),
    ]
    if metadata is not None:
        pooled.append(metadata)
    x = layers.Concatenate(name=f"{prefix}_join")(pooled)
    for number in (1, 2):
        x = layers.BatchNormalization(momentum=0.9, name=f"{prefix}_bn{number}")(x)
        x = layers.Dropout(0.3, name=f"{prefix}_drop{number}")(x)
        x = layers.Dense(256, activation="relu", name=f"{prefix}_dense{number}")(x)
    return {"species": _even_softmax(x, species, f"{prefix}_softmax")}


def _inception(features: Any, species: int) -> dict[str, Any]:
    from worker.models.keras_import import keras

    layers, x = keras.layers, _conv_norm_relu(features, 64, 1, "inception_squeeze")
    for number in (1, 2):
        name = f"inception{number}"
        x = layers.MaxPooling2D(2, padding="same", name=f"{name}_down")(x)  # (B, h/2, ...), then (B, h/4, ...)
        narrow = _conv_norm_relu(x, 32, 1, f"{name}_one")
        middle = _conv_norm_relu(_conv_norm_relu(x, 32, 1, f"{name}_three_in"), 48, 3, f"{name}_three")
        wide = _conv_norm_relu(_conv_norm_relu(x, 16, 1, f"{name}_five_in"), 24, 5, f"{name}_five")
        pooled = layers.AveragePooling2D(3, strides=1, padding="same", name=f"{name}_pool")(x)
        x = layers.Concatenate(name=f"{name}_join")([narrow, middle, wide, _conv_norm_relu(pooled, 24, 1, f"{name}_p")])
    pooled = [
        layers.GlobalAveragePooling2D(name="inception_gap")(x),
        layers.GlobalMaxPooling2D(name="inception_peak")(x),
    ]
    x = layers.Dropout(0.3, name="inception_drop")(layers.Concatenate(name="inception_pooled")(pooled))
    return {"species": _even_softmax(x, species, "inception_softmax")}


def _gap(features: Any, species: int) -> dict[str, Any]:
    from worker.models.keras_import import keras

    pooled = keras.layers.GlobalAveragePooling2D(name="gap_mean")(features)
    return {"species": _even_softmax(pooled, species, "gap_softmax")}


def _even_softmax(x: Any, species: int, name: str) -> Any:
    """Return a softmax that starts by saying every species alike.

    From random weights it starts surer than it ever becomes right about new cameras, and spends its epochs on
    unlearning that: on the sample fleet's unseen cameras the log loss of `heatmap` was 1.25 and 1.61 (two seeds), from
    even ones it is 1.00 and 1.26.
    """
    from worker.models.keras_import import keras

    return keras.layers.Dense(species, activation="softmax", kernel_initializer="zeros", name=name)(x)
