"""The ten commonest tasks of each role, and the test that does each in a browser.

Those of `LIVE` do it on the real stack, with phones that ring; the others on the daemon, its
database and a journal that is written as Asterisk writes it, some of them by somebody with more
rights than the role has: the pages are the same.
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LIVE = "asterisk/scenarios/test_tasks.py"
LIVE_PAGE = "asterisk/scenarios/test_live_page.py"
ADMINISTRATION = "console/test_administration.py"
CALLS = "console/test_calls.py"
DAILY = "console/test_daily_work.py"
KEYBOARD = "console/test_keyboard.py"
MAP = "console/test_live.py"
MONEY = "console/test_money.py"
ROUTING = "console/test_routing.py"
SELLING = "console/test_selling.py"

_AGENT = "test_an_agent_sees_a_missed_call_calls_back_hears_and_writes"
_HEAD = "test_a_head_listens_in_sees_why_a_call_went_there_and_exports_the_report"
_LEADER = "test_a_leader_sees_the_calls_of_the_group_and_no_other"
_ADMINISTRATOR = "test_an_administrator_changes_an_order_blocks_a_caller_and_adds_an_extension"
_RESELLER = "test_a_reseller_s_customer_buys_a_number_and_the_next_call_to_it_is_paid_for"

TASKS: dict[str, dict[tuple[str, str], list[str]]] = {
    "agent": {
        (LIVE, _AGENT): [
            "see that one's phone rings, and who calls",
            "see one's missed calls",
            "call one back by a click, and talk",
            "see that nobody waits for a callback any more",
            "hear a recording of one's own call",
            "write down problem and solution",
            "find the calls of a number",
            "make a client of a caller",
        ],
        (DAILY, "test_a_client_is_made_of_a_call_found_changed_and_merged"): [
            "find a client, change the card"
        ],
        (KEYBOARD, "test_a_call_is_opened_and_a_note_written"): ["write a note without a mouse"],
    },
    "group leader": {
        (LIVE, _LEADER): [
            "see the calls of the group as they go on",
            "whisper to a member",
            "see the calls of the group, and no other",
        ],
        (DAILY, "test_home_shows_only_ones_own_to_who_sees_only_that"): [
            "see the figures of the group"
        ],
        (MAP, "test_who_sees_a_group_sees_its_places_and_changes_none"): [
            "see who sits where, and talks"
        ],
        (DAILY, "test_a_callback_is_owed_given_to_somebody_and_settled"): [
            "give a callback to somebody, settle it"
        ],
        (DAILY, "test_a_recording_shows_both_sides_plays_and_is_a_favourite"): [
            "mark a recording as a favourite"
        ],
        (CALLS, "test_a_row_opens_a_panel_arrows_go_on_and_escape_comes_back"): [
            "go through calls one after the other"
        ],
        (CALLS, "test_filters_are_saved_offered_and_deleted"): ["keep a filter"],
        (CALLS, "test_an_export_shows_its_progress_and_gives_the_file"): ["export calls"],
    },
    "head": {
        (LIVE, _HEAD): [
            "see a call as it goes on",
            "listen in",
            "end a call",
            "see why a call went to 101",
            "hear a recording",
            "see who answered and who did not, export it",
        ],
        (DAILY, "test_home_counts_what_the_list_counts_and_each_figure_leads_there"): [
            "see the week in figures, go to the calls"
        ],
        (DAILY, "test_a_report_has_chart_table_definition_and_an_export"): [
            "see a report with its definition"
        ],
        (CALLS, "test_a_period_comes_first_and_stays_in_the_address_with_the_filters"): [
            "see the missed calls of a period"
        ],
        (MAP, "test_the_actions_are_those_that_one_may_take_and_keep_nobody_out"): [
            "see what may be done to a call"
        ],
    },
    "administrator": {
        (LIVE, _ADMINISTRATOR): [
            "change a hunt order, undo it",
            "block a caller",
            "add an extension",
        ],
        (LIVE_PAGE, "test_first_steps_are_ticked_by_what_happens"): [
            "connect the first phone, make the first call"
        ],
        (ROUTING, "test_a_hunt_order_is_changed_by_keyboard_tried_confirmed_and_undone"): [
            "try a change before it counts"
        ],
        (ROUTING, "test_a_week_is_painted_on_its_line"): ["change the opening hours"],
        (ADMINISTRATION, "test_somebody_is_invited_accepts_and_comes_in"): ["invite somebody"],
        (ADMINISTRATION, "test_rights_are_granted_and_withdrawn_and_blocking_ends_sessions"): [
            "change rights, block somebody"
        ],
        (ADMINISTRATION, "test_a_token_works_until_it_is_revoked"): ["issue a token"],
        (ADMINISTRATION, "test_a_webhook_shows_its_deliveries_and_sends_again"): [
            "set up a webhook, send again"
        ],
    },
    "reseller": {
        (LIVE, _RESELLER): [
            "make a customer, who comes in",
            "give funds",
            "import a price list, say who pays by it",
            "load numbers",
            "see that a customer's number is bought, rings and is paid for",
        ],
        (SELLING, "test_a_file_of_rates_changes_nothing_until_its_difference_is_confirmed"): [
            "change prices, see what changes first"
        ],
        (SELLING, "test_how_an_account_pays_and_what_its_calls_cost_are_set"): [
            "say how an account pays, price packages"
        ],
        (SELLING, "test_a_wish_is_offered_a_number_of_the_stock_or_declined"): [
            "answer a wish for a number"
        ],
        (SELLING, "test_an_invoice_is_sent_and_its_money_credited_when_it_is_paid"): [
            "invoice, credit what is paid"
        ],
        (MONEY, "test_a_transfer_is_set_aside_once_and_paid_when_somebody_else_approves"): [
            "take a transfer that somebody has approved"
        ],
    },
}


def _tests_in(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text())
    return {one.name for one in tree.body if isinstance(one, ast.AsyncFunctionDef)}


@pytest.mark.parametrize("role", TASKS)
def test_each_role_has_ten_tasks_that_name_their_tests(role: str) -> None:
    assert len({task for tasks in TASKS[role].values() for task in tasks}) == 10
    assert [one for one in TASKS[role] if one[1] not in _tests_in(one[0])] == []
