"""What events mean by their names."""

from __future__ import annotations

import pytest

from mlwatch.config import Config
from mlwatch.roles.event_names import meaning_of
from mlwatch.store.events import class_of

# names of Google Analytics 4, Segment's e-commerce events, Stripe's, and what logs of services call them
CONVERSIONS = """purchase in_app_purchase Order_Completed orderCompleted order_placed bought sign_up signup SignedUp
    subscribe subscription_started start_subscription resubscribed reorder checkout_completed payment_succeeded booking
    booked offer_accepted app_install installed converted conversion CONVERSION sale payment_intent.succeeded
    starter_pack_purchased upgrade_purchased rebooked"""
ENGAGEMENTS = """click clicked ad_click page_view pageview screenView viewed open email_opened like liked share
    video_play watch dwell dwell_time read save comment rating thumbs_up add_to_cart addToCart addtocart visit bookmark
    book_mark add_to_favorites follow scroll order_viewed click_buy_button checkout_view purchase_click return_visit
    refund_policy_viewed cancel_button_clicked playback"""
REFUNDS = """refund Order_Refunded orderCancelled chargeback item_returned return payment_reversed voided cancelled
    subscription_cancelled cancel_order"""
OTHERS = """session_start unsubscribe un_subscribe unSubscribe uninstall payment_failed payment_denied payment_refused
    payment_overdue missed_payment not_paid purchase_unsuccessful sold_out installment_due checkout_started
    begin_checkout order_abandoned purchase_attempt payment_intent.created conversation_started display impression
    heartbeat avoid thread_created border wholesale unlikely returning_user add_payment_info AddPaymentInfo
    checkout_step_completed checkout_progress order_updated order_shipped customer.subscription.deleted
    subscription_ended buy_button_shown checkout_page_loaded signup_form_shown order_history payment_reminder_sent
    payment_method_added cookies_accepted accept_terms playback_failed add_to_cart_failed cart_abandoned
    remove_from_cart like_removed thumbs_down app_ready page_ready watchdog_timeout refund_declined refund_failed
    results_returned user_returned share_cancelled"""


@pytest.mark.parametrize(
    ("meaning", "names"),
    [("conversion", CONVERSIONS), ("engagement", ENGAGEMENTS), ("refund", REFUNDS), ("other", OTHERS)],
)
def test_names_tell_what_events_mean(meaning: str, names: str) -> None:
    told = {name: meaning_of(name.replace("_", " ")) for name in names.split()}
    assert told == dict.fromkeys(told, meaning)
    assert {meaning_of(name) for name in names.split()} == {meaning}
    assert {class_of(name, Config().business) for name in names.split()} == {meaning}
