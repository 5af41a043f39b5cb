module till/exports

go 1.27
