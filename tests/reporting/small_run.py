"""Figures and names of the small run that the report is made of."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SCORES = {
    "psnr_blurred": 29.276323,
    "psnr_pretrained": 30.182084,
    "psnr": 30.146604,
    "ssim_blurred": 0.894634,
    "ssim_pretrained": 0.904518,
    "ssim": 0.89,
    "delta_e_blurred": 2.25,
    "delta_e": 2.16,
}
EVIL = "<script>document.title = 'owned'</script>\"' onload='x'"
