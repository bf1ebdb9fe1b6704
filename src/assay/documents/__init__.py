"""Documents in, marks out: pages are drawn, signatures, stamps and QR codes found, grouped, decoded and shown."""
