"""What events mean by their names."""

from __future__ import annotations

import pytest

from mlwatch.config import Config
from mlwatch.roles.event_names import meaning_of
from mlwatch.store.events import class_of

# names of Google Analytics 4, Segment's e-commerce events, and what logs of services call them
CONVERSIONS = """purchase in_app_purchase Order_Completed orderCompleted order_placed bought sign_up signup SignedUp
    subscribe subscription_started resubscribed reorder checkout_completed payment_succeeded booking booked
    offer_accepted app_install converted conversion CONVERSION sale"""
ENGAGEMENTS = """click clicked ad_click page_view pageview screenView viewed open email_opened like liked share
    video_play watch dwell dwell_time read save comment rating thumbs_up add_to_cart addToCart addtocart visit bookmark
    add_to_favorites follow scroll order_viewed click_buy_button checkout_view purchase_click return_visit"""
REFUNDS = "refund Order_Refunded orderCancelled chargeback item_returned return payment_reversed voided"
OTHERS = """session_start unsubscribe uninstall payment_failed checkout_started begin_checkout order_abandoned
    purchase_attempt conversation_started display impression heartbeat avoid thread_created border wholesale unlikely
    returning_user"""


@pytest.mark.parametrize(
    ("meaning", "names"),
    [("conversion", CONVERSIONS), ("engagement", ENGAGEMENTS), ("refund", REFUNDS), ("other", OTHERS)],
)
def test_names_tell_what_events_mean(meaning: str, names: str) -> None:
    told = {name: meaning_of(name.replace("_", " ")) for name in names.split()}
    assert told == dict.fromkeys(told, meaning)
    assert {meaning_of(name) for name in names.split()} == {meaning}
    assert {class_of(name, Config().business) for name in names.split()} == {meaning}
