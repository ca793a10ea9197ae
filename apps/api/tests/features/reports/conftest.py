"""What the tests of reports share."""

from support.cases import cases as cases
from support.talks import talks as talks
