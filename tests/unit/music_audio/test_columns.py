from __future__ import annotations

import numpy as np
import pytest

from domains.music.audio.columns import SOUND_COLUMNS, ColumnKind, Columns
from domains.music.audio.features import FEATURE_NAMES
from domains.music.audio.tagger import MSD_TAGS

COLUMNS = Columns.of(["tempo", "rms_var"], ["jazz"])


def test_features_come_before_tags_and_a_name_tells_a_variance() -> None:
    assert COLUMNS.names == ("tempo", "rms_var", "tag jazz")
    assert COLUMNS.kinds == (ColumnKind.NUMBER, ColumnKind.VARIANCE, ColumnKind.TAG)


def test_tags_are_told_from_the_rest() -> None:
    assert COLUMNS.only(tags=True).names == ("tag jazz",)
    assert COLUMNS.only(tags=False) == Columns.of(["tempo", "rms_var"])


def test_roots_of_tags_and_logs_of_variances_and_numbers_as_they_are() -> None:
    evened = COLUMNS.evened(np.array([[120.0, np.e, 0.25], [-1.0, 1.0, 0.0]]))
    np.testing.assert_allclose(evened, [[120.0, 1.0, 0.5], [-1.0, 0.0, 0.0]], atol=1e-9)


def test_values_given_are_not_changed_and_need_not_be_possible() -> None:
    values = np.array([[1.0, 0.0, -0.1], [1.0, -5.0, -1.0]])
    before = values.copy()
    assert np.isfinite(COLUMNS.evened(values)).all()
    np.testing.assert_array_equal(values, before)


def test_features_count_half_beside_tags_and_whole_alone() -> None:
    assert COLUMNS.weights.tolist() == [0.5, 0.5, 1.0]
    assert COLUMNS.only(tags=False).weights.tolist() == [1.0, 1.0]


def test_a_sound_has_the_columns_of_librosa_and_of_the_tagger() -> None:
    assert len(SOUND_COLUMNS.names) == len(set(SOUND_COLUMNS.names))
    assert SOUND_COLUMNS.only(tags=False).names == tuple(FEATURE_NAMES)
    assert len(SOUND_COLUMNS.only(tags=True).names) == len(MSD_TAGS)
    assert ColumnKind.VARIANCE in SOUND_COLUMNS.kinds


@pytest.mark.parametrize("tags", [True, False])
def test_no_columns_at_all_have_no_values(tags: bool) -> None:
    nothing = Columns.of().only(tags=tags)
    assert nothing.evened(np.empty((2, 0))).shape == (2, 0)
