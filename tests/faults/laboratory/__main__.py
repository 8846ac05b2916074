"""``python -m tests.faults.laboratory``: run scenarios, write the report. Needs root; `make fault-lab`."""

from tests.faults.laboratory.cli import main

if __name__ == "__main__":
    main()
