"""What a side's own rows say: seconds, amounts, prices, and the reference they are held against."""
