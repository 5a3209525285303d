"""The kinds of mistakes in a data set in COCO's format."""

import re
from dataclasses import dataclass

ERROR, WARNING, NOTE = SEVERITIES = ('error', 'warning', 'note')


@dataclass(frozen=True)
class Kind:
    """A kind of mistake.

    Attributes:
        severity (str): 'error': a training would fail, or learn what is wrong without
            a word. 'warning': something is left out, or results are worse. 'note':
            worth a look.
        subject (str): The entries that ids belong to: 'images', 'objects',
            'categories', or 'entries' of the file.
        text (str): Goes on after '3 of 20 images'.
        remedy (str): The remedy, for a message.
    """

    severity: str
    subject: str
    text: str
    remedy: str


# Name (severity, subject): text -> remedy. A report has them in this order.
_TABLE = """\
broken-entry (error, entries): lack a field that MMDetection reads, or have it in
    another form -> write numbers without quotes, and what is missing: COCO has no text
    or null there
duplicate-image-id (error, images): have the id of another -> ids must be unique: else
    objects go to the wrong image
duplicate-object-id (error, objects): have the id of another -> ids must be unique in
    the whole file: number them from 1
duplicate-category-id (error, categories): have the id of another -> ids must be unique
duplicate-class-name (error, categories): have the name of another -> MMDetection finds
    classes by name: merge or rename them
mixed-image-ids (error, images): have text for an id where others have a number -> the
    evaluation sorts ids, and fails: use numbers only, or text only
mixed-category-ids (error, categories): have text for an id where others have a number
    -> the evaluation sorts ids, and finds no class: use numbers only, or text only
unlisted-image (error, objects): have an image_id that no image has -> they are left
    out: list the image, or remove them; text is no number
unknown-category (error, objects): have a category_id that no category has -> they are
    left out and learned as background: list the category
unknown-mask (error, objects): have a segmentation that is neither polygons nor RLE ->
    COCO has a list of polygons [x1, y1, x2, y2, ...], without brackets around each
    point, or counts and size
short-polygon (error, objects): have a polygon of fewer than three points, or half a
    point -> pycocotools fails with them, and MMDetection drops them: remove the polygon
rle-does-not-fit (error, objects): have RLE that is damaged, or of another size than the
    image -> counts must add up to height * width, and size be [height, width]
boxes-between-0-and-1 (error, objects): have boxes between 0 and 1 -> COCO has x, y,
    width and height in pixels
boxes-are-corners (error, objects): would leave their image: the boxes look like x1, y1,
    x2, y2 -> COCO has x, y, width, height
box-outside (error, objects): have a box outside of the image -> they are left out:
    correct the box or the image_id
nothing-to-train-with (error, objects): are left out by MMDetection -> the other lines
    say why; objects with "ignore" and crowds (iscrowd=1) are not learned: single
    objects have iscrowd=0
missing-image (error, images): are not in the folder -> check the folder, and write each
    file_name as ls shows it
unreadable-image (error, images): are empty, no image, or cannot be read by MMDetection
    -> get them again, or save them as PNG or JPEG with 8 bits a channel
truncated-image (error, images): end too early -> MMDetection cannot read them, and
    stops at one: get them again
size-differs (error, images): have another size than the file says, as MMDetection reads
    them -> correct width and height, or save the image as EXIF turns it
no-mask (error, objects): have no segmentation, which this detector trains with -> add
    masks, or take a detector without
evaluation-fails (error, images): were evaluated with their own annotations as
    detections, and the AP is not 1 -> correct what the message names: no detector can
    be measured with them
validation-in-training (error, images): of the validation set are in the training set,
    byte by byte -> the AP is too good: remove them from one of the two
other-classes (error, categories): of the validation set are not those of the training
    set -> MMDetection numbers classes by their place in each file: both need the same
    list
no-iscrowd (error, objects): have no iscrowd -> pycocotools needs it to evaluate: write
    iscrowd=0
more-than-8-bits (warning, images): have more than 8 bits a channel, of which
    MMDetection reads the upper 8 -> scale their values to 0...255 and save them with 8
    bits
empty-box (warning, objects): have no area, or a box less than a pixel wide or high ->
    they are left out: remove them
box-sticks-out (warning, objects): have a box that goes beyond the image by more than a
    pixel -> cut the box to the image
crowd-with-polygons (warning, objects): are crowds (iscrowd=1) with polygons -> COCO has
    RLE for groups; set iscrowd=0 if each is one object
text-object-id (warning, objects): have text for an id -> CocoMetric needs numbers:
    number them from 1, or use FastCocoMetric
duplicate-file-name (warning, images): have the file name of another -> the objects of
    each are background to the other: merge them
class-without-objects (warning, categories): have no objects -> the detector cannot
    learn them
object-id-0 (warning, objects): have the id 0, which pycocotools never counts as found
    -> number objects from 1
crowded-image (note, images): have more than 100 objects of a class -> the AP counts 100
    detections of a class in an image, and cannot reach 1
small-objects (note, objects): are smaller than the smallest anchor -> a larger scale,
    or tiles, may find more of them
area-differs (note, objects): have an area that differs from mask or box by a factor of
    2 or more -> COCO sorts objects into small, medium and large by it
image-without-objects (note, images): have no object to train with -> MMDetection's
    configs skip them
spaces-in-class-name (note, categories): have spaces at an end of their name, two in a
    row, or other white space -> the config's classes must be the same to the letter
"""

KINDS = {
    name: Kind(*(' '.join(part.split()) for part in parts))
    for name, *parts in re.findall(
        r'^(\S+) \((\w+), (\w+)\): (.+?)\s->\s(.+?)\n(?! )', _TABLE, re.M | re.S
    )
}
