"""Bulk operations: licence keys by the hundred thousand, exports of whole tables."""
