"""Why a rule, number or document is refused: every fault has a slug, a place, a message with a remedy, and a context.

The catalogue below is the one list of slugs; pages translate by slug and fill in the context.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    type: str
    """Slug of `CATALOGUE`."""
    location: str
    """Where: ``customers[0].orders[1].blocks[0].base``, ``targets[0]``, or ``""`` for the whole input."""
    message: str
    """One or two English sentences: what is wrong and what to do."""
    context: Mapping[str, str] = field(default_factory=dict)
    """The values the message was built from."""

    def __str__(self) -> str:
        """Place and message, as a command prints it."""
        return f"{self.location}: {self.message}" if self.location else self.message


class RuleRejected(Exception):  # noqa: N818 - the name of the outcome, as callers speak of it
    """Input was refused; nothing was changed. ``faults`` holds all that was found, never nothing."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        """Keep the faults in the order in which they were found."""
        self.faults: tuple[Fault, ...] = tuple(faults)
        super().__init__("; ".join(str(fault) for fault in self.faults))

    def at(self, location: str) -> "RuleRejected":
        """Return the same refusal, placed below ``location``."""
        return RuleRejected(
            Fault(f.type, ".".join(filter(None, (location, f.location))), f.message, f.context) for f in self.faults
        )


CATALOGUE: Mapping[str, str] = MappingProxyType(
    {
        # numbers: what was typed is not a number
        "number_empty": "No number is given. Enter a number such as 030 23125000 or +493023125000.",
        "number_characters": "{text!r} contains {found!r}, which is no part of a number. Use digits, a leading + and separators only.",
        "number_letters": "{text!r} contains letters. Enter the digits instead.",
        "number_extension": "{text!r} carries an extension mark ({found}). Write the extension as digits behind the number.",
        "number_plus": "{text!r} has a + in the wrong place. Use one + at the very start.",
        "number_local": "{text!r} has no area code. Enter it with area code, such as 030 23125000.",
        "number_country_twice": "{text!r} has the country code {code} twice. Enter +{code} once, then the number without a leading zero.",
        "number_zero_after_country": "{text!r} has a zero after the country code. Leave the zero out: {suggestion}.",
        "number_country_unknown": "{text!r} starts with a country code that does not exist. Check the digits after + or 00.",
        "number_short": "{text!r} is too short for a number. Enter all digits with area code.",
        "number_long": "{text!r} is too long for a number: at most {limit} digits. Check for doubled digits.",
        "number_invalid": "{text!r} is not a number that is in use in its country. Check the digits.",
        "number_unknown_type": "{text!r} belongs to no known type of number. Use a geographic or mobile number.",
        # targets: a number, but not one that calls may be sent to
        "target_emergency": "{number} is an emergency number. Calls cannot be diverted to it; choose a subscriber's number.",
        "target_short_code": "{number} is a short code or service number ({what}). Choose a subscriber's number.",
        "target_premium": "{number} is a premium-rate number ({what}). Choose a geographic or mobile number.",
        "target_shared_cost": "{number} is a shared-cost number ({what}). Choose a geographic or mobile number.",
        "target_special": "{number} is a special number ({what}). Choose a geographic or mobile number.",
        "target_satellite": "{number} is a satellite or global network number (+{prefix}). Choose a geographic or mobile number.",
        "target_international": "{number} is abroad (+{code}). Choose a number in +{home}, or have diversions abroad allowed.",
        "target_barred": "{number} may not be a target here ({what} is barred for all). Choose another number.",
        "target_keep_emergency": "{number} with extension {extension} would be the emergency number {reached}. Choose another base.",
        "target_self": "{number} is one of the very numbers that this rule diverts. Choose another number.",
        "target_same_line": "{number} is delivered on the same line ({line}), which is down when the rule is used. Choose a number elsewhere.",
        "target_same_site": "{number} is at the same site ({site}), which fails together with the line. Choose a number elsewhere.",
        "target_loop": "{number} would come back to the start: {path}. Choose a target outside of this circle.",
        "target_duplicate": "{number} is listed twice. Remove one of the two.",
        "target_keep_extension": "The extension can be kept only by a rule for a block or a range. Enter a complete number.",
        "target_keep_length": "{number} with the extensions of this block would be longer than {limit} digits. Choose a shorter base.",
        # limits
        "limit_rules": "Line {line} has {count} rules already, and {limit} are allowed. Remove a rule, or have the limit raised.",
        "limit_changes": "{count} changes were made within an hour, and {limit} are allowed. Try again in {minutes} min, or ask your provider.",
        # rules and what they refer to
        "scope_number": "{number} is not one of the numbers of order {order}. Choose one of its numbers.",
        "scope_block": "Block {block} is not one of the blocks of order {order}. Choose one of its blocks.",
        "scope_range": "The range {first}-{last} is not inside block {block}. Choose extensions of the block.",
        "product_not_eligible": "Order {order} has the product {product}, to which diversion does not belong. Leave its rules out.",
        "plan_unknown": "No rule of order {order} belongs to the plan {plan!r}; its plans: {known}. Choose one of them, or add rules first.",
        "scope_duplicate": "Diversion {other} is for the same numbers. Change or remove that one.",
        "times_text": "{text!r} is not understood at {what!r}: {why}. Write times such as Mo-Fr 08:00-17:00, or Sat 09:00-13:00.",
        "period_dates": "The last day ({last}) comes before the first ({first}). Correct one of the dates.",
        "periods_many": "The times come to {count} periods; a rule has at most {limit}. Join times that have the same targets.",
        "period_targets": "The period has no targets. Add {field!r}; an empty list, [], means that nothing is diverted in these times.",
        "state_unknown": "{text!r} is no German state. Use a code or a name, such as {known}.",
        "extension_range": "{first!r}-{last!r} is no range: both ends need the same number of digits, the first not above the last.",
        "extension_text": "{text!r} is no extension or range. Write 01, 10-99 or XX (any two digits).",
        "block_again": "Block {other} has the very same range ({example}) at another time. Let that block move instead.",
        "block_overlap": "The block has numbers in common with block {other} ({example}). Change one of the two.",
        "block_long": "The base with its extensions is longer than {limit} digits. Shorten the base or the extensions.",
        "number_taken": "{number} is already given to {other}. Remove one of the two.",
        "line_other_order": "Line {line} is not one of order {order}. Choose a line of the same order.",
        "user_locked": "The user {user} is locked. Have him unlocked by an owner, or by your provider.",
        "user_reads": "The role {role} of the user {user} may look at rules, not change them. Ask an owner or an editor.",
        "order_plan_only": "Of order {order} only the plan can be changed here. Leave everything else as it is.",
        "lead_time": "The targets of {what} can be managed from {day} on, {days} days before calls reach it ({live}). Come back then.",
        "item_dates": "It is taken out ({until}) before it comes in ({start}). Correct one of the dates.",
        "move_before_start": "It moves ({at}) before it comes in ({start}). Name the later order without a move, or correct a date.",
        "move_after_end": "It moves ({at}) after it was taken out ({until}). Correct one of the dates.",
        "order_dates": "The order ends ({until}) before it begins ({start}). Correct one of the dates.",
        "line_kind": "{problem}. {remedy}.",
        "line_user_taken": "The user name {user!r} is already that of line {other}. Choose another one.",
        "order_numbers": "The product {product} has no {what}. Use {instead}.",
        "product_unknown": "{product!r} is not a product. Use one of: {known}.",
        "profile_changes": "The changes of the profile cannot be used: {why}. Correct them.",
        "profile_changes_many": "More than {limit} lines have different changes of their profiles. Give lines alike the same changes.",
        "profile_unknown": "{profile!r} is not a profile. Use one of: {known}.",
        # documents
        "field_missing": "The field is missing. Add {field!r}.",
        "field_unknown": "{field!r} is not known here. Use one of: {known}.",
        "field_type": "{found} was found where {wanted} is wanted. Correct the value{hint}.",
        "field_value": "{text!r} cannot be used: {why}. Correct the value.",
        "id_duplicate": "The id {id!r} is used twice for a {kind} (also at {other}). Give each its own.",
        "id_taken": "The {kind} {id!r} belongs to {owner} in the store. Choose another id.",
        "still_used": "The {kind} {id!r} is still used by {user}. Remove or change that first.",
        "reference_missing": "There is no {kind} {id!r} here. Add it or correct the name.",
        "reference_kept": "{kind} {id!r} is not in the file and would be removed, but {other} needs it. Keep it, or change that one too.",
        # tables: what a spreadsheet does to what was typed
        "cell_scientific": "{text!r} was shortened by a spreadsheet; digits are lost. Format the column as Text, then enter it anew.",
        "cell_plus_lost": "{text!r} has lost its + or its leading zeros in a spreadsheet. Write {suggestion}, in a column formatted as Text.",
        "cell_zero_lost": "{text!r} has no area code, or a spreadsheet dropped its zero. Write {suggestion} in a column formatted as Text.",
        "cell_date": "{text!r} is a date that a spreadsheet made of an entry such as {example}. Format the column as Text, then enter it anew.",
        "cell_serial": "{text!r} is a spreadsheet's number for the day {suggestion}. Write the day like that, in a column formatted as Text.",
        "cell_error": "{text!r} is the error of a formula. Put the value itself into the cell.",
        "cell_formula": "{text!r} is a formula. Put the value itself into the cell.",
        "cell_yes_no": "{text!r} is neither yes nor no. Write ja or nein (also yes, no, true, false, 1, 0).",
        "cell_empty": "The cell is empty. Fill in {what}.",
        "cell_list": "{text!r} cannot be used: {why}. Correct the cell.",
        # tables: what their rows and columns have
        "row_cells": "The row has {found} cells, the header {wanted}. Put cells that contain {delimiter!r} into quotes.",
        "row_quotes": "The quotes of the row do not fit: {why}. Write a quote inside of a quoted cell twice.",
        "column_unknown": "There is no column {column!r}. Use: {known}.",
        "column_twice": "The column {column!r} stands there twice. Remove one of the two.",
        "column_missing": "The column {column!r} is missing. Add it.",
        "table_empty": "The table has no header. Write the names of the columns into the first row.",
        "table_text": "The file is no table of text: {why}. Save it as CSV, in UTF-8.",
        "table_large": "The table has more than {limit} rows. Divide it.",
        "table_unknown": "{file!r} is no table of numbers (columns number and target) and has no name of another table. Use: {known}.",
        "file_unknown": "{file!r} is no file of this format. Use: {known}.",
        "line_json": "The line is no JSON: {why}. Correct it.",
        "kind_unknown": "{kind!r} is no kind of entity. Use one of: {known}.",
        # tables of numbers and targets
        "entry_unknown": "{number} is not one of the numbers here. Correct it, or import its order first.",
        "entry_twice": "{number} stands there twice (also in row {other}). Remove one of the two.",
        "entry_target": "There is no target, and no rule for {number} yet. Enter a target, or leave the row empty.",
        "entry_block": "Several blocks begin with {number}. Write the extensions as well, such as {example}.",
        "entry_foreign": "{number} belongs to another customer. Remove the row.",
        "scope_outside": "{kind} {id!r} is not part of {scope}, which is to be replaced. Remove the row, or choose a wider scope.",
    }
)
"""Slug → English message with its remedy; ``{name}`` are keys of the context."""


@dataclass(frozen=True, slots=True)
class RuleWarning:
    """Something that is allowed, but that whoever saves it should know. It never keeps anything from being saved."""

    type: str
    """Slug of `WARNINGS`."""
    location: str
    """Where, as in `Fault`."""
    message: str
    """One or two English sentences: what is to be expected and what may be done."""
    context: Mapping[str, str] = field(default_factory=dict)
    """The values the message was built from."""

    def __str__(self) -> str:
        """Place and message, as a command prints it."""
        return f"{self.location}: {self.message}" if self.location else self.message


WARNINGS: Mapping[str, str] = MappingProxyType(
    {
        "target_shared": "{number} is the target of {count} numbers and may be engaged when all are diverted. Share them out.",
        "plan_not_armed": "No rule of the plan {plan!r} of order {order} is armed, so it diverts nothing by itself. Arm its rules.",
        "limit_rules_passed": "Line {line} has {count} rules, more than the {limit} of its product. It was saved, for staff may.",
        "limit_changes_passed": "{count} changes were made within an hour, more than the {limit} of the product. It was saved, for staff may.",
    }
)
"""Slug → English message; ``{name}`` are keys of the context."""


def warn(type_: str, location: str = "", **context: str) -> RuleWarning:
    """Build a warning of the catalogue; a missing slug or context key is a `KeyError`, so a bug shows in the tests."""
    return RuleWarning(type_, location, WARNINGS[type_].format(**context), context)


def fault(type_: str, location: str = "", **context: str) -> Fault:
    """Build a fault of the catalogue; a missing slug or context key is a `KeyError`, so a bug shows in the tests."""
    return Fault(type_, location, CATALOGUE[type_].format(**context), context)


def reject(type_: str, location: str = "", **context: str) -> RuleRejected:
    """Build a refusal with a single fault; the caller raises it."""
    return RuleRejected((fault(type_, location, **context),))
