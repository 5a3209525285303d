"""The kinds of mistakes in a data set in COCO's format."""

from dataclasses import dataclass

ERROR, WARNING, NOTE = SEVERITIES = ('error', 'warning', 'note')


@dataclass(frozen=True)
class Kind:
    """A kind of mistake.

    Attributes:
        severity (str): 'error': a training would fail, or learn what is wrong without
            a word. 'warning': something is left out, or results are worse. 'note':
            worth a look.
        subject (str): What ``ids`` of a finding are of: 'images', 'objects',
            'categories', or 'entries' of the file.
        text (str): Goes on after '3 of 20 images'.
        remedy (str): What to do.
    """

    severity: str
    subject: str
    text: str
    remedy: str


KINDS = {
    'broken-entry': Kind(
        ERROR,
        'entries',
        'lack a field that MMDetection reads, or have it in another form',
        'write numbers without quotes, and what is missing: COCO has no text or null '
        'there',
    ),
    'duplicate-image-id': Kind(
        ERROR,
        'images',
        'have the id of another',
        'ids must be unique: else objects go to the wrong image',
    ),
    'duplicate-object-id': Kind(
        ERROR,
        'objects',
        'have the id of another',
        'ids must be unique in the whole file: number them from 1',
    ),
    'duplicate-category-id': Kind(
        ERROR, 'categories', 'have the id of another', 'ids must be unique'
    ),
    'duplicate-class-name': Kind(
        ERROR,
        'categories',
        'have the name of another',
        'MMDetection finds classes by name: merge or rename them',
    ),
    'mixed-image-ids': Kind(
        ERROR,
        'images',
        'have text for an id where others have a number',
        'the evaluation sorts ids, and fails: use numbers only, or text only',
    ),
    'mixed-category-ids': Kind(
        ERROR,
        'categories',
        'have text for an id where others have a number',
        'the evaluation sorts ids, and finds no class: use numbers only, or text only',
    ),
    'unlisted-image': Kind(
        ERROR,
        'objects',
        'have an image_id that no image has',
        'they are left out: list the image, or remove them; text is no number',
    ),
    'unknown-category': Kind(
        ERROR,
        'objects',
        'have a category_id that no category has',
        'they are left out and learned as background: list the category',
    ),
    'unknown-mask': Kind(
        ERROR,
        'objects',
        'have a segmentation that is neither polygons nor RLE',
        'COCO has a list of polygons [x1, y1, x2, y2, ...], without brackets around '
        'each point, or counts and size',
    ),
    'short-polygon': Kind(
        ERROR,
        'objects',
        'have a polygon of fewer than three points, or half a point',
        'pycocotools fails with them, and MMDetection drops them: remove the polygon',
    ),
    'rle-does-not-fit': Kind(
        ERROR,
        'objects',
        'have RLE that is damaged, or of another size than the image',
        'counts must add up to height * width, and size be [height, width]',
    ),
    'boxes-between-0-and-1': Kind(
        ERROR,
        'objects',
        'have boxes between 0 and 1',
        'COCO has x, y, width and height in pixels',
    ),
    'boxes-are-corners': Kind(
        ERROR,
        'objects',
        'would leave their image: the boxes look like x1, y1, x2, y2',
        'COCO has x, y, width, height',
    ),
    'box-outside': Kind(
        ERROR,
        'objects',
        'have a box outside of the image',
        'they are left out: correct the box or the image_id',
    ),
    'nothing-to-train-with': Kind(
        ERROR,
        'objects',
        'are left out by MMDetection',
        'the other lines say why; objects with "ignore" and crowds (iscrowd=1) are not '
        'learned: single objects have iscrowd=0',
    ),
    'missing-image': Kind(
        ERROR,
        'images',
        'are not in the folder',
        'check the folder, and write each file_name as ls shows it',
    ),
    'unreadable-image': Kind(
        ERROR,
        'images',
        'are empty, no image, or cannot be read by MMDetection',
        'get them again, or save them as PNG or JPEG with 8 bits a channel',
    ),
    'truncated-image': Kind(
        ERROR,
        'images',
        'end too early',
        'MMDetection cannot read them, and stops at one: get them again',
    ),
    'size-differs': Kind(
        ERROR,
        'images',
        'have another size than the file says, as MMDetection reads them',
        'correct width and height, or save the image as EXIF turns it',
    ),
    'more-than-8-bits': Kind(
        WARNING,
        'images',
        'have more than 8 bits a channel, of which MMDetection reads the upper 8',
        'scale their values to 0...255 and save them with 8 bits',
    ),
    'no-mask': Kind(
        ERROR,
        'objects',
        'have no segmentation, which this detector trains with',
        'add masks, or take a detector without',
    ),
    'evaluation-fails': Kind(
        ERROR,
        'images',
        'were evaluated with their own annotations as detections, and the AP is not 1',
        'correct what the message names: no detector can be measured with them',
    ),
    'validation-in-training': Kind(
        ERROR,
        'images',
        'of the validation set are in the training set, byte by byte',
        'the AP is too good: remove them from one of the two',
    ),
    'other-classes': Kind(
        ERROR,
        'categories',
        'of the validation set are not those of the training set',
        'MMDetection numbers classes by their place in each file: both need the same '
        'list',
    ),
    'empty-box': Kind(
        WARNING,
        'objects',
        'have no area, or a box less than a pixel wide or high',
        'they are left out: remove them',
    ),
    'box-sticks-out': Kind(
        WARNING,
        'objects',
        'have a box that goes beyond the image by more than a pixel',
        'cut the box to the image',
    ),
    'crowd-with-polygons': Kind(
        WARNING,
        'objects',
        'are crowds (iscrowd=1) with polygons',
        'COCO has RLE for groups; set iscrowd=0 if each is one object',
    ),
    'no-iscrowd': Kind(
        ERROR,
        'objects',
        'have no iscrowd',
        'pycocotools needs it to evaluate: write iscrowd=0',
    ),
    'text-object-id': Kind(
        WARNING,
        'objects',
        'have text for an id',
        'CocoMetric needs numbers: number them from 1, or use FastCocoMetric',
    ),
    'duplicate-file-name': Kind(
        WARNING,
        'images',
        'have the file name of another',
        'the objects of each are background to the other: merge them',
    ),
    'class-without-objects': Kind(
        WARNING, 'categories', 'have no objects', 'the detector cannot learn them'
    ),
    'object-id-0': Kind(
        WARNING,
        'objects',
        'have the id 0, which pycocotools never counts as found',
        'number objects from 1',
    ),
    'crowded-image': Kind(
        NOTE,
        'images',
        'have more than 100 objects of a class',
        'the AP counts 100 detections of a class in an image, and cannot reach 1',
    ),
    'small-objects': Kind(
        NOTE,
        'objects',
        'are smaller than the smallest anchor',
        'a larger scale, or tiles, may find more of them',
    ),
    'area-differs': Kind(
        NOTE,
        'objects',
        'have an area that differs from mask or box by a factor of 2 or more',
        'COCO sorts objects into small, medium and large by it',
    ),
    'image-without-objects': Kind(
        NOTE,
        'images',
        'have no object to train with',
        "MMDetection's configs skip them",
    ),
    'spaces-in-class-name': Kind(
        NOTE,
        'categories',
        'have spaces at an end of their name, two in a row, or other white space',
        "the config's classes must be the same to the letter",
    ),
}
