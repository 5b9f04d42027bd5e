"""Does pretraining save labels? Arms x label fractions x budgets x seeds, every cell a stage of DVC."""
