module goqmail

go 1.25.0
